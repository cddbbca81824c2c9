import { describe, expect, it } from 'vitest';
import { TablevaultError } from '../../../../src/core/errors.ts';
import { UnprovableError } from '../../../../src/read/accept.ts';
import type { PlannedTable } from '../../../../src/read/plan.ts';
import { TableResults, tellNotRead } from '../../../../src/run/snapshot/tables.ts';

const planned = (notRead?: readonly string[]) =>
  ({
    table: { name: 'Docs', ...(notRead === undefined ? {} : { notRead }) },
    warnings: ['of the plan'],
  }) as unknown as PlannedTable;

describe('the warnings of a table', () => {
  it('begin with what its rows may carry and is not read', () => {
    expect(tellNotRead(planned(['a derived type'])).warnings).toEqual(['a derived type', 'of the plan']);
    expect(tellNotRead(planned()).warnings).toEqual(['of the plan']);
  });
});

describe('the error of a run in which tables failed', () => {
  const hintAfter = (code: 'AUTH_FORBIDDEN' | 'VALUE_MISFIT') => {
    const results = new TableResults();
    results.fail('Docs', new TablevaultError(code, 'no', { hint: 'Do this.' }));
    return results.error(false).hint;
  };

  it('promises that only what is missing is read, unless the identity was refused something', () => {
    expect(hintAfter('VALUE_MISFIT')).toContain('only what is missing');
    expect(hintAfter('AUTH_FORBIDDEN')).toContain('all tables anew');
  });

  const partial = () => {
    const results = new TableResults();
    results.fail(
      'Gen_Documents',
      new TablevaultError('BODY_TRUNCATED', 'the answer broke off', { hint: 'Check proxies.' }),
    );
    return results;
  };

  it('says that nothing was published, and how the others can be', () => {
    const { message, hint } = partial().error(false);
    expect(message).toMatch(/failed: Gen_Documents; nothing was published; the first: the answer broke off$/);
    expect(hint).toMatch(
      /^Check proxies\. Running again reads only what is missing, unless the pipeline was changed\. --allow-partial publishes /,
    );
  });

  it('names all tables that the consent of the pipeline would save, in one line for its block', () => {
    const results = new TableResults();
    for (const name of ['A', 'B']) results.fail(name, new UnprovableError(name, 'no count'));
    results.fail('C', new TablevaultError('BODY_INVALID', 'broken'));
    expect(results.error(false).hint).toContain(
      ': overrides: { A: { accept: best-effort }, B: { accept: best-effort } }. ',
    );
  });

  it('says of a partial snapshot that the others were published', () => {
    const { message, hint } = partial().error(true);
    expect(message).toContain('; the others were published as an incomplete snapshot; the first: ');
    expect(hint).not.toContain('--allow-partial');
  });
});
