/** Durations as people write them in a pipeline or on the command line: `90m`, `6h`, `1.5h`, `30s`, `500ms`, `2d`. */

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
