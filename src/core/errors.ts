/**
 * The one error class of tablevault, its closed list of codes, and the exit code that each stands for.
 * `docs/errors.md` explains every code; a test holds the two together.
 */

export type ErrorCode = keyof typeof EXIT_CODE_OF;

/** Exit codes of the outside contract. */
export const EXIT = {
  done: 0,
  bug: 1,
  usage: 2,
  auth: 3,
  instance: 4,
  tables: 5,
  verification: 6,
  destination: 7,
  commitUnknown: 8,
  locked: 9,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Every code, with the exit code of a process that ends by it. */
export const EXIT_CODE_OF = {
  BUG: EXIT.bug,
  USAGE: EXIT.usage,
  CONFIG_INVALID: EXIT.usage,
  CONFIG_NOT_FOUND: EXIT.usage,
  SECRET_IN_CLEAR: EXIT.usage,
  SECRET_MISSING: EXIT.usage,
  TABLE_UNKNOWN: EXIT.usage,
  FOREIGN_ORIGIN: EXIT.usage,
  AMBIGUOUS_ENDPOINT: EXIT.usage,
  AUTH_CLIENT: EXIT.auth,
  AUTH_SCOPE: EXIT.auth,
  AUTH_TOKEN: EXIT.auth,
  AUTH_AUTHORITY: EXIT.auth,
  AUTH_FORBIDDEN: EXIT.auth,
  INSTANCE_UNREACHABLE: EXIT.instance,
  INSTANCE_TLS: EXIT.instance,
  INSTANCE_ANSWER: EXIT.instance,
  INSTANCE_BUSY: EXIT.instance,
  INSTANCE_SEATS: EXIT.instance,
  DEADLINE: EXIT.instance,
  REQUEST_REFUSED: EXIT.tables,
  BODY_INVALID: EXIT.tables,
  BODY_TRUNCATED: EXIT.tables,
  VALUE_MISFIT: EXIT.tables,
  PAGING_LOOP: EXIT.tables,
  END_UNPROVEN: EXIT.tables,
  ORDER_DISPROVED: EXIT.tables,
  DUPLICATE_KEY: EXIT.tables,
  SCHEMA_CHANGED: EXIT.tables,
  ROW_TOO_LARGE: EXIT.tables,
  TABLES_FAILED: EXIT.tables,
  VERIFY_FAILED: EXIT.verification,
  EXPECTATION_FAILED: EXIT.verification,
  VAULT_STALE: EXIT.verification,
  DESTINATION_DENIED: EXIT.destination,
  DESTINATION_FULL: EXIT.destination,
  DESTINATION_MISSING: EXIT.destination,
  DESTINATION_UNREACHABLE: EXIT.destination,
  DESTINATION_UNSAFE: EXIT.destination,
  OBJECT_EXISTS: EXIT.destination,
  OBJECT_MISSING: EXIT.destination,
  VAULT_CORRUPT: EXIT.destination,
  VAULT_NOT_FOUND: EXIT.destination,
  COMMIT_UNKNOWN: EXIT.commitUnknown,
  LOCKED: EXIT.locked,
  INTERRUPTED: EXIT.interrupted,
} as const satisfies Record<string, ExitCode>;

export interface ErrorDetails {
  /** What the reader should do next, one sentence. */
  readonly hint?: string;
  /** May the same step succeed if it is simply done again? Default false. */
  readonly retryable?: boolean;
  /** Where: table, key, request (path without secrets), byte offset … shown after the message. */
  readonly at?: Readonly<Record<string, string | number>>;
  readonly cause?: unknown;
}

/** What happened, where, and what to do next. Messages never hold a secret: callers pass names, not values of credentials. */
export class TablevaultError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly hint: string | undefined;
  readonly at: Readonly<Record<string, string | number>>;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'TablevaultError';
    this.code = code;
    this.retryable = details.retryable ?? false;
    this.hint = details.hint;
    this.at = details.at ?? {};
  }

  get exitCode(): ExitCode {
    return EXIT_CODE_OF[this.code];
  }
}

/** Is what was thrown one of ours, with one of these codes? */
export function hasCode(thrown: unknown, ...codes: readonly ErrorCode[]): thrown is TablevaultError {
  return thrown instanceof TablevaultError && codes.includes(thrown.code);
}

/** May the step that threw this succeed if it is simply done again? */
export function isRetryable(thrown: unknown): thrown is TablevaultError {
  return thrown instanceof TablevaultError && thrown.retryable;
}

/** Anything thrown, as a TablevaultError; what is not one already is a bug of ours, but for a current folder that was removed. */
export function asTablevaultError(thrown: unknown): TablevaultError {
  if (thrown instanceof TablevaultError) return thrown;
  if (isCurrentFolderGone(thrown)) {
    return new TablevaultError('DESTINATION_MISSING', 'the current folder no longer exists', {
      cause: thrown,
      hint: 'Change to a folder that exists, or give whole paths.',
    });
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new TablevaultError('BUG', `unexpected fault: ${message}`, {
    cause: thrown,
    hint: 'This is a fault of tablevault itself: please report it with the output of TABLEVAULT_LOG=debug.',
  });
}

/** `process.cwd()` fails so, and whatever makes a relative path a whole one. */
function isCurrentFolderGone(thrown: unknown): boolean {
  return thrown instanceof Error && 'syscall' in thrown && thrown.syscall === 'uv_cwd';
}

/** A plain object for another thread or for JSON; `cause` is reduced to its message. */
export interface ErrorData {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly retryable: boolean;
  readonly at: Readonly<Record<string, string | number>>;
}

export function errorToData(error: TablevaultError): ErrorData {
  return {
    code: error.code,
    message: error.message,
    retryable: error.retryable,
    at: error.at,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  };
}

export function errorFromData(data: ErrorData): TablevaultError {
  return new TablevaultError(data.code, data.message, data);
}

/** The message and the advice as one text, for reports that have one place for both. */
export function withAdvice({ message, hint }: TablevaultError): string {
  return hint === undefined ? message : `${message}. ${hint}`;
}
