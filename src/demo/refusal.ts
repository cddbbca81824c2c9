/** A request that is answered with an error, in the form of the vendor's APIs. */
export interface RefusalDetails {
  readonly status: number;
  /** Short name, e.g. `InvalidFilter`. */
  readonly type: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Thrown anywhere below the HTTP handlers, and answered there; it is an answer and no fault of the demo. */
export class Refusal extends Error {
  readonly status: number;
  readonly type: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(message: string, details: RefusalDetails) {
    super(message);
    this.name = 'Refusal';
    this.status = details.status;
    this.type = details.type;
    this.headers = details.headers ?? {};
  }
}

/** A request the server does not understand; its status is a matter of personality, set where it is answered (0). */
export function badRequest(message: string, type = 'InvalidRequest'): Refusal {
  return new Refusal(message, { status: 0, type });
}

/** `{message, code, type, info, messageFormat, parameters}`, flat or below `error`. */
export function refusalBody(refusal: Refusal, shape: 'flat' | 'nested'): string {
  const error = {
    message: refusal.message,
    code: refusal.status,
    type: refusal.type,
    info: `Demo.Server.${refusal.type}Exception: ${refusal.message}\n   at Demo.Server.TableApi.Execute()`,
    messageFormat: refusal.message,
    parameters: [],
  };
  return JSON.stringify(shape === 'flat' ? error : { error });
}
