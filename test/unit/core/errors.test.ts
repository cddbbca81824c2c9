import { describe, expect, it } from 'vitest';
import { asTablevaultError, hasCode, isRetryable, TablevaultError } from '../../../src/core/errors.ts';

const missing = new TablevaultError('OBJECT_MISSING', 'there is no object', { retryable: true });

describe('what was thrown', () => {
  it('has a code only when it is an error of ours with one of the codes asked for', () => {
    expect(hasCode(missing, 'OBJECT_MISSING')).toBe(true);
    expect(hasCode(missing, 'VAULT_CORRUPT', 'OBJECT_MISSING')).toBe(true);
    expect(hasCode(missing, 'VAULT_CORRUPT')).toBe(false);
    expect(hasCode(missing)).toBe(false);
    expect(hasCode(Object.assign(new Error('x'), { code: 'OBJECT_MISSING' }), 'OBJECT_MISSING')).toBe(false);
    expect(hasCode(undefined, 'OBJECT_MISSING')).toBe(false);
  });

  it('is a fault of ours, unless it is one of ours already, or tells of a current folder that was removed', () => {
    expect(asTablevaultError(missing)).toBe(missing);
    expect(asTablevaultError(new Error('x'))).toMatchObject({ code: 'BUG', exitCode: 1 });
    const gone = Object.assign(new Error('ENOENT: no such file or directory, uv_cwd'), { syscall: 'uv_cwd' });
    expect(asTablevaultError(gone)).toMatchObject({ code: 'DESTINATION_MISSING', exitCode: 7 });
  });

  it('may be tried again only when it says so itself', () => {
    expect(isRetryable(missing)).toBe(true);
    expect(isRetryable(new TablevaultError('OBJECT_MISSING', 'gone'))).toBe(false);
    expect(isRetryable(Object.assign(new Error('x'), { retryable: true }))).toBe(false);
  });
});
