/** Durations: as people write them in a pipeline or on the command line (`90m`, `6h`, `1.5h`, `30s`, `500ms`, `2d`), and as people read them. */

export const DURATION_PATTERN = '^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$';

const DURATION = new RegExp(DURATION_PATTERN);

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds (an integer), or undefined when `text` is no positive duration that a timer can count. */
export function parseDuration(text: string): number | undefined {
  const unit = DURATION.exec(text)?.[2];
  if (unit === undefined) return undefined;
  const ms = Math.round(Number.parseFloat(text) * UNIT_MS[unit]!);
  return Number.isSafeInteger(ms) && ms > 0 ? ms : undefined;
}

/** `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`. */
export function duration(ms: number): string {
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}
