/** What every command gets: where to print, what to listen to. Nothing below `cli/` sees it. */
import { once } from 'node:events';
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
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  readonly redactor: Redactor;
  readonly screen: Screen;
  readonly log: Log;
  readonly output: Output;
  /** Set by the command that ran. */
  exitCode: ExitCode;
}

/**
 * Standard output: data only. A report (`lines`, `json`, `text`) never ends a command: what the command found out is told by its exit code,
 * whoever reads. Only data that is there for its reader (`data`) ends with the reader.
 */
export interface Output extends View {
  readonly isTerminal: boolean;
  /** A report for people: lines, wrapped at a terminal, credentials taken out. */
  lines(lines: readonly string[]): Promise<void>;
  /** A report for machines: one JSON document, credentials taken out. */
  json(report: unknown): Promise<void>;
  /** A report as it is. */
  text(text: string): Promise<void>;
  /**
   * Data as it is, with back-pressure.
   * @throws TablevaultError DESTINATION_*: standard output cannot be written; `isUnwanted` tells whether its reader has gone. The signal's
   * reason, also while a reader does not read.
   */
  data(chunk: string | Uint8Array): Promise<void>;
  /** Has anything been written? */
  readonly used: boolean;
  /** Why a report could not be written; undefined when it was, or when its reader has gone, as `| head` does. */
  readonly lost: TablevaultError | undefined;
  /** Did a command end by this alone: that the reader of its data has gone? Then the rest is not wanted, and that is no failure. */
  isUnwanted(thrown: unknown): boolean;
}

/**
 * @param clear takes away what stands in place on the same terminal: what is written here must not run into it
 * @param signal ends waiting for a reader of data
 */
export function createOutput(
  stream: NodeJS.WriteStream,
  redactor: Redactor,
  env: CliContext['env'],
  clear: () => void = () => {},
  signal?: AbortSignal,
): Output {
  const view = viewOf(stream, env, 'data', redactor);
  const unwanted = new Set<unknown>();
  let used = false;
  let lost: TablevaultError | undefined;
  const write = (chunk: string | Uint8Array) => {
    used = true;
    if (stream.isTTY === true) clear();
    return new Promise<void>((resolve, reject) => {
      stream.write(chunk, (error) => {
        if (!error) return resolve();
        const fault = unwritable(error);
        if (isGone(error)) unwanted.add(fault);
        reject(fault);
      });
    });
  };
  const data = async (chunk: string | Uint8Array) => {
    signal?.throwIfAborted();
    const written = write(chunk);
    if (signal === undefined) return written;
    const stop = new AbortController();
    const interrupted = once(signal, 'abort', { signal: stop.signal }).then(() => signal.throwIfAborted());
    try {
      await Promise.race([written, interrupted]);
    } finally {
      stop.abort();
      interrupted.catch(() => undefined);
      written.catch(() => undefined);
    }
  };
  const text = async (report: string) => {
    try {
      await write(report);
    } catch (error) {
      if (!unwanted.has(error)) lost ??= error as TablevaultError;
    }
  };
  return {
    ...view,
    isTerminal: stream.isTTY === true,
    data,
    text,
    lines: (lines) => text(lines.map((line) => `${wrap(redactor.redact(line), view.width()).join('\n')}\n`).join('')),
    json: (report) => text(`${redactor.redact(JSON.stringify(report, jsonValue, 2))}\n`),
    get used() {
      return used;
    },
    get lost() {
      return lost;
    },
    isUnwanted: (thrown) => unwanted.has(thrown) || (thrown instanceof Error && unwanted.has(thrown.cause)),
  };
}

/** A stream that has been destroyed by an error says so from then on. */
const isGone = (error: NodeJS.ErrnoException): boolean =>
  error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED';

function unwritable(error: NodeJS.ErrnoException): TablevaultError {
  const full = error.code === 'ENOSPC' || error.code === 'EDQUOT';
  const message = `standard output cannot be written (${error.code ?? error.message})`;
  return new TablevaultError(full ? 'DESTINATION_FULL' : 'DESTINATION_UNREACHABLE', message, {
    cause: error,
    hint: full ? 'Free space where the output goes, and run again.' : 'Check where the output goes.',
  });
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
