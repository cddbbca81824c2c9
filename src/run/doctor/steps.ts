/** One step after another, each with what was found, how long it took, and what to do; a step whose ground is missing is not tried. */
import type { Clock } from '../../core/clock.ts';
import { asTablevaultError, type ErrorCode, EXIT, type ExitCode } from '../../core/errors.ts';

export const STEPS = [
  'configuration',
  'name',
  'connection',
  'discovery',
  'identity',
  'scope',
  'table-api',
  'clock',
  'tables',
  'probes',
  'limits',
  'rights',
  'proof',
  'first-row',
  'destination',
] as const;

export type StepName = (typeof STEPS)[number];

/** What a step does, for whoever waits for it. */
export const DOING: Readonly<Record<StepName, string>> = {
  configuration: 'reading the configuration',
  name: 'looking up the names of hosts',
  connection: 'connecting',
  discovery: 'asking the instance for its sites',
  identity: 'asking for a token',
  scope: 'looking at the scope of the token',
  'table-api': 'opening the Table API and reading $metadata',
  clock: 'comparing clocks',
  tables: 'choosing tables',
  probes: 'asking the instance what it can do',
  limits: 'trying how many requests the instance answers at once',
  rights: 'reading and decoding a row of up to 50 tables, and the keys of small ones',
  proof: 'looking which tables can be proven or counted',
  'first-row': 'looking at the rows that came',
  destination: 'trying the destination',
};

export interface StepReport {
  readonly step: StepName;
  readonly status: 'ok' | 'warning' | 'failed' | 'not tried';
  /** One sentence. */
  readonly found: string;
  /** More of it, a line each. */
  readonly details: readonly string[];
  /** What to do; null when there is nothing to do. */
  readonly fix: string | null;
  readonly code: ErrorCode | null;
  readonly ms: number;
}

export interface StepFinding<T = undefined> {
  readonly found: string;
  readonly details?: readonly string[];
  /** Something works but should not stay so: makes the step a warning. */
  readonly fix?: string;
  /** For later steps. */
  readonly value: T;
}

export interface Examination {
  /** Runs a step once all that it needs have not failed; undefined when it was not tried or failed. */
  step<T>(name: StepName, needs: readonly StepName[], look: () => Promise<StepFinding<T>>): Promise<T | undefined>;
  readonly steps: readonly StepReport[];
  /** Of the first step that failed, 0 when none did. */
  exitCode(): ExitCode;
}

/**
 * @param onStep told of each step as it ends
 * @param onBegin told of each step that is tried, as it begins
 */
export function createExamination(
  clock: Clock,
  signal: AbortSignal,
  onStep: (step: StepReport) => void,
  onBegin: (step: StepName) => void = () => {},
): Examination {
  const steps: StepReport[] = [];
  let exitCode: ExitCode = EXIT.done;
  const add = (report: StepReport) => {
    steps.push(report);
    onStep(report);
  };
  return {
    steps,
    exitCode: () => exitCode,
    async step(step, needs, look) {
      signal.throwIfAborted();
      const missing = needs.find((need) => steps.some((each) => each.step === need && !isGround(each)));
      if (missing !== undefined) {
        const found = `not tried: it needs ${missing}`;
        add({ step, status: 'not tried', found, details: [], fix: null, code: null, ms: 0 });
        return undefined;
      }
      onBegin(step);
      const begun = clock.now();
      try {
        const { found, details = [], fix, value } = await look();
        const status = fix === undefined ? 'ok' : 'warning';
        add({ step, status, found, details, fix: fix ?? null, code: null, ms: clock.now() - begun });
        return value;
      } catch (thrown) {
        signal.throwIfAborted();
        const error = asTablevaultError(thrown);
        if (exitCode === EXIT.done) exitCode = error.exitCode;
        const { message: found, hint: fix = null, code } = error;
        add({ step, status: 'failed', found, details: [], fix, code, ms: clock.now() - begun });
        return undefined;
      }
    },
  };
}

function isGround({ status }: StepReport): boolean {
  return status === 'ok' || status === 'warning';
}
