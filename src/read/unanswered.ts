/** When a question to the instance stays without an answer. */
import { hasCode } from '../core/errors.ts';

/**
 * Did the instance decline one question, or answer it uselessly, rather than fail as a whole? Says no more than that this table cannot be
 * asked this.
 */
export function isUnanswered(thrown: unknown): boolean {
  return hasCode(thrown, 'REQUEST_REFUSED', 'AUTH_FORBIDDEN', 'BODY_INVALID', 'BODY_TRUNCATED');
}
