/** What every command gets: where to print, what to listen to. Nothing below `cli/` sees it. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { type ExitCode, hasCode, TablevaultError } from '../core/errors.ts';
import type { Pipeline } from '../core/pipeline.ts';
import type { ReadPipelineOptions } from '../pipeline/read.ts';
import type { Log } from './log.ts';
import type { Redactor } from './redact.ts';
import type { Screen } from './screen.ts';
import { wrap } from './text.ts';
import { type View, viewOf } from './view.ts';

export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Aborted by the first SIGINT or SIGTERM, or when the reader of standard output has gone. */
  readonly signal: AbortSignal;
  readonly redactor: Redactor;
  readonly screen: Screen;
  readonly log: Log;
  readonly output: Output;
  /** Set by the command that ran. */
  exitCode: ExitCode;
}

/** Standard output: data only. */
export interface Output extends View {
  readonly isTerminal: boolean;
  /** A report for people: lines, wrapped at a terminal, credentials taken out. */
  lines(lines: readonly string[]): Promise<void>;
  /** Data as it is, with back-pressure. */
  data(chunk: string | Uint8Array): Promise<void>;
  /** A report for machines: one JSON document, credentials taken out. */
  json(report: unknown): Promise<void>;
  /** Has anything been written? */
  readonly used: boolean;
}

/** @param clear takes away what stands in place on the same terminal: what is written here must not run into it */
export function createOutput(
  stream: NodeJS.WriteStream,
  redactor: Redactor,
  env: CliContext['env'],
  clear: () => void = () => {},
): Output {
  const view = viewOf(stream, env, 'data', redactor);
  let used = false;
  const data = (chunk: string | Uint8Array) => {
    used = true;
    if (stream.isTTY === true) clear();
    return new Promise<void>((resolve, reject) => {
      stream.write(chunk, (error) => (error ? reject(error) : resolve()));
    });
  };
  return {
    ...view,
    isTerminal: stream.isTTY === true,
    data,
    lines: (lines) => data(lines.map((line) => `${wrap(redactor.redact(line), view.width()).join('\n')}\n`).join('')),
    json: (report) => data(`${redactor.redact(JSON.stringify(report, jsonValue, 2))}\n`),
    get used() {
      return used;
    },
  };
}

/** int64 beyond what a JSON number holds exactly is text. */
function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}

/** The pipeline of a command line; its credential is known to the redactor from here on. */
export async function loadPipeline(
  context: CliContext,
  file: string,
  overrides: NonNullable<ReadPipelineOptions['overrides']> = {},
): Promise<Pipeline> {
  const { readPipeline } = await import('../pipeline/read.ts');
  const pipeline = await readPipeline(file, { env: context.env, overrides }).catch((error: unknown) => {
    throw withEnvFile(error, file);
  });
  context.redactor.add((pipeline.auth.kind === 'service' ? pipeline.auth.clientSecret : pipeline.auth.token).reveal());
  // A key of several lines would be printed line by line.
  for (const line of pipeline.signingKey?.reveal().split('\n') ?? []) if (line.length >= 40) context.redactor.add(line);
  return pipeline;
}

/** A new shell does not know the variables of the `.env` beside the pipeline, which `init` wrote or asked for. */
function withEnvFile(error: unknown, file: string): unknown {
  const path = join(dirname(file), '.env');
  if (!hasCode(error, 'SECRET_MISSING') || !existsSync(path)) return error;
  const shown = path.includes('/') ? path : `./${path}`;
  const { code, message, retryable, at, cause, hint = '' } = error;
  const next = `${hint} If it stands in ${path}, read that file into this shell: set -a; . ${shown}; set +a`.trim();
  return new TablevaultError(code, message, { retryable, at, cause, hint: next });
}
