/** Logs: JSON lines on standard error, off unless TABLEVAULT_LOG asks for them. Credentials cannot get in: see `Secret` and `redact.ts`. */
import type { Logger } from 'pino';
import { TablevaultError } from '../core/errors.ts';
import type { RunEvent } from '../core/events.ts';
import type { Screen } from './screen.ts';
import { spacedText } from './waits.ts';

/** `fatal` and `silent` are the logger's own: nothing here says `fatal`, and silence is the default. */
const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** What commands write to. */
export type Log = Pick<Logger, 'trace' | 'debug' | 'info' | 'warn' | 'error'>;

export type LogLevel = (typeof LEVELS)[number];

/** @throws TablevaultError USAGE for a level that does not exist. */
export function logLevelOf(env: Readonly<Record<string, string | undefined>>): LogLevel {
  const asked = env['TABLEVAULT_LOG']?.trim().toLowerCase() ?? '';
  if (asked === '') return 'silent';
  const level = LEVELS.find((name) => name === asked);
  if (level !== undefined) return level;
  throw new TablevaultError('USAGE', `TABLEVAULT_LOG=${asked} is not a log level`, {
    hint: `Use one of ${LEVELS.filter((name) => name !== 'fatal' && name !== 'silent').join(', ')}, or unset it.`,
  });
}

const nothing = () => {};
export const SILENT_LOG: Log = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing };

/** The library is loaded only where somebody listens. */
export async function createLog(level: LogLevel, screen: Screen): Promise<Log> {
  if (level === 'silent') return SILENT_LOG;
  const { pino, stdTimeFunctions } = await import('pino');
  const log: Log = pino(
    { level, base: null, timestamp: stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    { write: (line) => screen.verbatim(line.trimEnd()) },
  );
  return log;
}

/** One line per event; the frequent ones at `trace`. */
export function logEvent(log: Log, event: RunEvent): void {
  switch (event.type) {
    case 'log':
      log[event.level]({ ...event.at }, event.message);
      return;
    case 'warning':
      log.warn({ table: event.table }, event.message);
      return;
    case 'doing':
      log.debug(event.what);
      return;
    case 'wait':
      log.info({ ms: event.ms }, `waiting: ${event.reason}`);
      return;
    case 'spaced':
      log.info(spacedText(event.perMinute));
      return;
    case 'tableFailed':
      log.error({ table: event.table }, event.message);
      return;
    case 'continued':
    case 'notContinued':
    case 'planned':
    case 'tableStarted':
    case 'tableDone':
      log.info({ ...event }, event.type);
      return;
    case 'inFlight':
    case 'retry':
    case 'request':
    case 'progress':
      log.trace({ ...event }, event.type);
      return;
  }
}
