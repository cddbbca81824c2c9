import { describe, expect, it } from 'vitest';
import { TablevaultError } from '../../../src/core/errors.ts';
import { isUnanswered } from '../../../src/read/small.ts';

describe('a question to the instance', () => {
  it.each(['REQUEST_REFUSED', 'AUTH_FORBIDDEN', 'BODY_INVALID', 'BODY_TRUNCATED', 'PAGING_LOOP'] as const)(
    'stays without an answer after %s',
    (code) => expect(isUnanswered(new TablevaultError(code, 'x'))).toBe(true),
  );

  it.each(['INSTANCE_UNREACHABLE', 'INSTANCE_BUSY', 'AUTH_TOKEN', 'DEADLINE', 'BUG'] as const)(
    'fails as a whole with %s: any other read would fail too',
    (code) => expect(isUnanswered(new TablevaultError(code, 'x'))).toBe(false),
  );

  it('that was interrupted is not unanswered', () => expect(isUnanswered(new Error('aborted'))).toBe(false));
});
