/** `Retry-After` and `Date`, by the clock of the web server, which need not be right. */
import type { DemoLimits } from './options.ts';

/** The value of `Retry-After`, so many seconds from `now`. */
export function retryAfter(
  seconds: number,
  { retryAfterAs, clockAheadMs }: Pick<DemoLimits, 'retryAfterAs' | 'clockAheadMs'>,
  now: number,
): string {
  return retryAfterAs === 'seconds' ? String(seconds) : httpDate(now + clockAheadMs + seconds * 1000);
}

/** An instant in milliseconds since 1970 as an HTTP date (RFC 9110, 5.6.7). */
export function httpDate(ms: number): string {
  return new Date(ms).toUTCString();
}
