import { describe, expect, it } from 'vitest';
import { TablevaultError } from '../../../../src/core/errors.ts';
import { TableResults } from '../../../../src/run/snapshot/tables.ts';

describe('the error of a run in which tables failed', () => {
  const results = new TableResults();
  results.fail(
    'Gen_Documents',
    new TablevaultError('BODY_TRUNCATED', 'the answer broke off', { hint: 'Check proxies.' }),
  );

  it('says that nothing was published, and how the others can be', () => {
    const { message, hint } = results.error(false);
    expect(message).toMatch(/failed: Gen_Documents; nothing was published; the first: the answer broke off$/);
    expect(hint).toMatch(/^Check proxies\. Running again reads only what is missing\. --allow-partial publishes /);
  });

  it('says of a partial snapshot that the others were published', () => {
    const { message, hint } = results.error(true);
    expect(message).toContain('; the others were published as an incomplete snapshot; the first: ');
    expect(hint).not.toContain('--allow-partial');
  });
});
