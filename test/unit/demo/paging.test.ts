import { describe, expect, test } from 'vitest';
import { createDatabase } from '../../../src/demo/database.ts';
import { type Chain, drawOf, extentOf, lastPage, nextPage, readToken } from '../../../src/demo/paging.ts';
import { DEFAULT_PERSONALITY, type Personality } from '../../../src/demo/personality.ts';
import { parseQuery } from '../../../src/demo/query.ts';
import { DEFAULT_RIGHTS } from '../../../src/demo/rights.ts';

const ENDLESS = Number.POSITIVE_INFINITY;
const how = (personality: Partial<Personality>): Personality => ({ ...DEFAULT_PERSONALITY, ...personality });

/** Limit of an answer, and the number of rows at which a link follows. */
function extent(
  search: string,
  personality: Partial<Personality>,
  maxRows: number | null = null,
  before = 0,
  draw = 0,
) {
  const all = how(personality);
  const { limit, linkAt } = extentOf(parseQuery(search, all), all, { ...DEFAULT_RIGHTS, maxRows }, before, draw);
  return [limit, linkAt];
}

describe('the extent of an answer', () => {
  test('ends at $top with a link, where links are given', () => {
    expect(extent('', {})).toEqual([ENDLESS, ENDLESS]);
    expect(extent('?$top=50', {})).toEqual([50, 50]);
    expect(extent('?$top=50', { nextLink: 'none' })).toEqual([50, ENDLESS]);
  });

  test('ends at a page of the server with a link; $top is then the end', () => {
    const serverPage = { rows: 30, link: 'skip' } as const;
    expect(extent('', { serverPage })).toEqual([30, 30]);
    expect(extent('?$top=50', { serverPage })).toEqual([30, 30]);
    expect(extent('?$top=30', { serverPage })).toEqual([30, ENDLESS]);
    expect(extent('?$top=20', { serverPage })).toEqual([20, ENDLESS]);
  });

  test('ends silently where rights or a cut come first', () => {
    expect(extent('?$top=50', {}, 70, 30)).toEqual([40, ENDLESS]);
    expect(extent('?$top=50', { cut: { rows: 20 } })).toEqual([20, ENDLESS]);
    expect(extent('?$top=50', { cut: { rows: 60 } })).toEqual([50, 50]);
    expect(extent('', { cut: { rows: 20 }, serverPage: { rows: 30, link: 'skiptoken' } })).toEqual([20, ENDLESS]);
  });

  test('is drawn between two bounds, both of them included', () => {
    const drawn = Array.from({ length: 200 }, (_, serial) =>
      extent('', { cut: { between: [5, 8] } }, null, 0, drawOf(1, serial)).at(0),
    );
    expect([...new Set(drawn)].sort()).toEqual([5, 6, 7, 8]);
  });
});

describe('links', () => {
  const db = createDatabase({ tables: ['Inv_Lots', 'Gen_Document_Links', 'Sys_Filter'], rows: 0.01 });
  const chain = (name: string, search: string, personality: Partial<Personality>): Chain => ({
    table: db.table(name),
    query: parseQuery(search, how(personality)),
    personality: how(personality),
    resume: null,
    serial: 7,
  });
  const queryOf = (continuation: ReturnType<typeof nextPage>) =>
    continuation !== null && 'query' in continuation ? continuation.query : null;
  const tokenIn = (query: string | null) => /\$skiptoken=(\S+)/.exec(query ?? '')![1]!;

  test.each(['Inv_Lots', 'Gen_Document_Links'])('of %s go on after a key, which comes back from the token', (name) => {
    const query = queryOf(nextPage(chain(name, '?$select=Row_Version&$top=5', {}), 4, 15, 5));
    expect(query).toMatch(/^\$select=Row_Version&\$top=5&\$skiptoken=/);
    expect(readToken(db.table(name), tokenIn(query))).toEqual({
      rows: 15,
      key: db.table(name).keyOf(4),
      empty: false,
    });
    expect(() => readToken(db.table('Sys_Filter'), tokenIn(query))).toThrow('not one of this server');
  });

  test('go on at a position without a key, and where the server pages so', () => {
    expect(queryOf(nextPage(chain('Sys_Filter', '?$top=5', {}), 4, 15, 5))).toBe('$top=5&$skip=15');
    const serverPage = { rows: 5, link: 'skip' } as const;
    expect(queryOf(nextPage(chain('Inv_Lots', '?$top=12', { serverPage }), 4, 5, 5))).toBe('$top=7&$skip=5');
  });

  test('after the last row are absent, null, empty, or never end', () => {
    const last = (lastLink: Personality['lastLink']) => lastPage(chain('Inv_Lots', '', { lastLink }));
    expect([last('absent'), last('null'), last('empty')]).toEqual([null, { literal: 'null' }, { literal: '""' }]);
    for (const lastLink of ['endless-empty', 'endless-same'] as const) {
      const token = readToken(db.table('Inv_Lots'), tokenIn(queryOf(last(lastLink))));
      expect(token).toEqual({ rows: 0, key: null, empty: lastLink === 'endless-empty' });
    }
  });
});
