/** Awkward servers, one kind a test: what comes out is all rows, or a failure, or not called exact. */
import { describe, expect, test } from 'vitest';
import { compareGuidsAsSqlServer } from '../../../src/core/guid.ts';
import {
  type Behave,
  type FakeAnswer,
  type FakeRequest,
  type FakeTable,
  guid,
  guidTable,
  honest,
  type Outcome,
  type Row,
  readFake,
  tableOf,
} from '../../support/odata.ts';

const NO_COUNTS: FakeAnswer = { status: 400 };

/** Answers cut at `cap` rows, `$top` kept to, counts as `counting` says. */
function cut(
  cap: (request: FakeRequest) => number,
  counting: 'true' | 'refused' | 'ignored' | 'of the answer',
): Behave {
  return (request) => {
    if (request.count && counting === 'refused') return NO_COUNTS;
    const rows = request.matching.slice(0, Math.min(cap(request), request.top ?? Number.POSITIVE_INFINITY));
    if (!request.count || counting === 'ignored') return { rows };
    return { rows, count: counting === 'true' ? request.matching.length : rows.length };
  };
}

const keysOf = ({ rows }: Pick<Outcome, 'rows'>, name = 'Id') => rows.map((row) => String(row[name]));

/** How rows that came differ from those that there are. */
function differences(outcome: Pick<Outcome, 'rows'>, truth: readonly Row[], name: string) {
  const came = keysOf(outcome, name);
  const are = new Set(truth.map((row) => String(row[name])));
  const seen = new Set(came);
  return {
    missing: [...are].filter((key) => !seen.has(key)).length,
    strange: [...seen].filter((key) => !are.has(key)).length,
    twice: came.length - seen.size,
  };
}
const NONE = { missing: 0, strange: 0, twice: 0 };

/** The law: all rows as they are; or a failure; or at least it is not called exact. */
function expectHonest(outcome: Outcome, truth: readonly Row[], name = 'Id'): void {
  if (outcome.error !== null || outcome.read?.verdict.consistency !== 'exact') return;
  expect(differences(outcome, truth, name)).toEqual(NONE);
}

function expectExact(outcome: Outcome, truth: readonly Row[], name = 'Id'): void {
  expect(outcome.error).toBeNull();
  expect(outcome.read?.verdict).toEqual({ consistency: 'exact', reasons: [] });
  expect(differences(outcome, truth, name)).toEqual(NONE);
}

const random = (seed: number) => () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
};

describe('answers that are cut short in silence', () => {
  for (const counting of ['true', 'refused', 'ignored', 'of the answer'] as const) {
    test.each([1, 2, 29, 30, 50, 51, 60, 1234])(`at %i rows are gone on from, counts ${counting}`, async (cap) => {
      const table = guidTable(cap < 5 ? 23 : 3000);
      const outcome = await readFake(
        [table],
        cut(() => cap, counting),
      );
      if (cap > 1) expectExact(outcome, table.rows);
      else expectHonest(outcome, table.rows);
    });

    test(`at any number of rows, another each time, never pass for whole, counts ${counting}`, async () => {
      const table = guidTable(500);
      for (let seed = 1; seed <= 40; seed++) {
        const next = random(seed);
        const outcome = await readFake(
          [table],
          cut(() => 1 + Math.floor(next() * 60), counting),
        );
        expectHonest(outcome, table.rows);
      }
    });

    test(`to a share of their rows never pass for whole, counts ${counting}`, async () => {
      for (const share of [0.3, 0.5, 0.8, 0.9]) {
        for (const size of [5, 20, 300]) {
          const table = guidTable(size);
          const outcome = await readFake(
            [table],
            cut(({ matching }) => Math.ceil(matching.length * share), counting),
          );
          expectHonest(outcome, table.rows);
        }
      }
    });
  }

  test('at a number of bytes are gone on from, also where the last row is larger than that', async () => {
    for (const size of [10, 1000, 30_000]) {
      const table = guidTable(200);
      table.rows = table.rows.map((row, i) => ({ ...row, Name: 'x'.repeat(i === 120 || i === 199 ? size : 10) }));
      const bytes = (rows: readonly Row[], select: readonly string[]) =>
        rows.reduce((sum, row) => sum + JSON.stringify(select.map((name) => row[name])).length, 0);
      const outcome = await readFake([table], ({ matching, select, top, count }) => {
        if (count) return NO_COUNTS;
        let rows = matching.slice(0, top ?? matching.length);
        while (rows.length > 1 && bytes(rows, select) > 2_000) rows = rows.slice(0, -1);
        return { rows };
      });
      expectExact(outcome, table.rows);
    }
  });

  test('at the same row, the closing read too, are refused with both numbers when a count says more', async () => {
    const table = guidTable(5000);
    const { error } = await readFake([table], (request) => ({
      rows: request.matching
        .filter((row) => compareGuidsAsSqlServer(String(row['Id']), guid(3099)) <= 0)
        .slice(0, request.top ?? 9e9),
      ...(request.count ? { count: request.matching.length } : {}),
    }));
    expect(error?.code).toBe('END_UNPROVEN');
    expect(error?.message).toContain('3,100 rows came, but the instance counts 5,000');
  });

  test('in random order never pass for exact, over many tables', async () => {
    const next = random(7);
    for (let n = 0; n < 60; n++) {
      const table = guidTable(53);
      const outcome = await readFake([table], ({ matching, top, count }) => {
        if (count) return NO_COUNTS;
        const shuffled = matching.map((row) => ({ row, at: next() })).sort((a, b) => a.at - b.at);
        return { rows: shuffled.slice(0, Math.min(50, top ?? 50)).map(({ row }) => row) };
      });
      expectHonest(outcome, table.rows);
    }
  });

  const kinds: readonly (readonly [string, FakeTable])[] = [
    ['an integer', numbered('int32', (i) => i * 3 - 4000)],
    ['a long integer', numbered('int64', (i) => i * 3 - 4000)],
    ['a date', numbered('date', (i) => new Date(86_400_000 * i).toISOString().slice(0, 10))],
    ['an instant', numbered('timestamp', (i) => new Date(86_400_000 * i + i * 1000).toISOString().replace('.000', ''))],
    ['a text', numbered('text', (i) => `K${String(i).padStart(5, '0')}`)],
  ];
  test.each(kinds)('of a table whose key is %s are gone on from by that key', async (_, table) => {
    for (const counting of ['true', 'refused'] as const) {
      expectExact(
        await readFake(
          [table],
          cut(() => 1234, counting),
        ),
        table.rows,
      );
    }
  });

  test('of a composite key are gone on from by its leading column', async () => {
    const rows = Array.from({ length: 3000 }, (_, i) => ({ Id: guid(Math.floor(i / 7)), Line: i % 7, Name: `n${i}` }));
    const table = tableOf(
      'T',
      ['Id', 'Line'],
      [
        ['Id', 'guid'],
        ['Line', 'int32'],
        ['Name', 'text'],
      ],
      rows,
    );
    for (const counting of ['true', 'refused'] as const) {
      expectExact(
        await readFake(
          [table],
          cut(() => 1234, counting),
        ),
        rows,
        'Name',
      );
    }
  });

  test('of a composite key within rows that share its leading column are never exact and short', async () => {
    const rows = Array.from({ length: 40 }, (_, i) => ({ Id: guid(i < 5 ? i : 5), Line: i, Name: `n${i}` }));
    const table = tableOf(
      'T',
      ['Id', 'Line'],
      [
        ['Id', 'guid'],
        ['Line', 'int32'],
        ['Name', 'text'],
      ],
      rows,
    );
    for (const cap of [3, 8, 20, 35, 39]) {
      expectHonest(
        await readFake(
          [table],
          cut(() => cap, 'refused'),
        ),
        rows,
        'Name',
      );
      expectHonest(
        await readFake(
          [table],
          cut(() => cap, 'true'),
        ),
        rows,
        'Name',
      );
    }
  });
});

function numbered(
  kind: 'int32' | 'int64' | 'date' | 'timestamp' | 'text',
  key: (i: number) => string | number,
): FakeTable {
  const rows = Array.from({ length: 5000 }, (_, i) => ({ Id: key(i), Name: `n${i}` }));
  return tableOf(
    'T',
    ['Id'],
    [
      ['Id', kind],
      ['Name', 'text'],
    ],
    rows,
  );
}

describe('next links', () => {
  /** Pages of 100 by `$skip`; rows are deleted after the first page of rows. */
  function skipping(table: FakeTable, counts: boolean, deleted: (i: number) => boolean): Behave {
    let pages = 0;
    return (request) => {
      if (request.count && !counts) return NO_COUNTS;
      const rows = request.matching.slice(request.skip, request.skip + Math.min(100, request.top ?? 100));
      const more = request.top === null && request.skip + rows.length < request.matching.length;
      const next = new URL(request.url);
      next.searchParams.set('$skip', String(request.skip + rows.length));
      const count = request.count ? { count: request.matching.length } : {};
      if (request.select.includes('Name') && ++pages === 1) table.rows = table.rows.filter((_, i) => !deleted(i));
      return { rows, ...count, ...(more ? { link: next.href } : {}) };
    };
  }

  test('that count rows are not followed where the key can be asked for, so that no row is left out when others are deleted', async () => {
    for (const counts of [true, false]) {
      const table = guidTable(1000);
      const outcome = await readFake(
        [table],
        skipping(table, counts, (i) => i < 10),
      );
      expect(outcome.read?.verdict.consistency).toBe('exact');
      expect(differences(outcome, table.rows, 'Id').missing).toBe(0);
    }
  });

  test('that count rows are not followed for a composite key either', async () => {
    const rows = Array.from({ length: 1000 }, (_, i) => ({ Id: guid(Math.floor(i / 3)), Line: i % 3, Name: `n${i}` }));
    const table = tableOf(
      'T',
      ['Id', 'Line'],
      [
        ['Id', 'guid'],
        ['Line', 'int32'],
        ['Name', 'text'],
      ],
      rows,
    );
    const outcome = await readFake(
      [table],
      skipping(table, true, (i) => i < 10),
    );
    expect(outcome.read?.verdict.consistency).toBe('exact');
    expect(differences(outcome, table.rows, 'Name').missing).toBe(0);
  });

  test('that count rows prove nothing where they must be followed, not even with an equal count', async () => {
    const table = tableOf(
      'V',
      [],
      [['Name', 'text']],
      Array.from({ length: 350 }, (_, i) => ({ Name: `n${i}` })),
    );
    const { read } = await readFake(
      [table],
      skipping(table, true, () => false),
    );
    expect(read?.verdict.consistency).toBe('best-effort');
    expect(read?.warnings.join()).toContain('$skip');
  });

  test.each([true, false])('spelled as in OData 4.01 are seen, with a key: %s', async (keyed) => {
    const rows = Array.from({ length: 350 }, (_, i) => ({ Id: guid(i), Name: `n${i}` }));
    const table = tableOf(
      'T',
      keyed ? ['Id'] : [],
      [
        ['Id', 'guid'],
        ['Name', 'text'],
      ],
      rows,
    );
    const outcome = await readFake([table], (request) => {
      const from = Number(request.url.searchParams.get('$skiptoken') ?? 0);
      const page = request.matching.slice(from, from + Math.min(100, request.top ?? 100));
      const next = new URL(request.url);
      next.searchParams.set('$skiptoken', String(from + page.length));
      const more = request.top === null && from + page.length < request.matching.length;
      return {
        rows: page,
        v401: true,
        ...(request.count ? { count: request.matching.length } : {}),
        ...(more ? { link: next.href } : {}),
      };
    });
    expect(differences(outcome, rows, 'Id')).toEqual(NONE);
    expect(outcome.read?.verdict.consistency).toBe(keyed ? 'exact' : 'counted');
  });

  test.each([
    ['empty pages', () => []],
    ['the same rows on every page', (rows: readonly Row[]) => rows],
  ] as const)('that never repeat and bring %s are refused within a bound', async (_, page) => {
    for (const key of [['Id'], []]) {
      const table = tableOf(
        'T',
        key,
        [
          ['Id', 'guid'],
          ['Name', 'text'],
        ],
        guidTable(100).rows,
      );
      let token = 0;
      const outcome = await readFake([table], (request) => {
        if (request.count) return NO_COUNTS;
        if (request.top !== null || request.filter !== '') return {};
        return { rows: page(request.matching), link: `T?$select=${request.select.join(',')}&$skiptoken=${token++}` };
      });
      expect(outcome.requests.length).toBeLessThan(200);
      if (outcome.error === null) expectHonest(outcome, table.rows);
      else expect(outcome.error.code).toBe('PAGING_LOOP');
    }
  });
});

describe('counts', () => {
  const view = tableOf(
    'V',
    [],
    [['Name', 'text']],
    Array.from({ length: 20_000 }, (_, i) => ({ Name: `n${i}` })),
  );

  test('are asked of a view, and make it counted; also where it has as many rows as rights may cut at', async () => {
    const outcome = await readFake([view], honest);
    expect(outcome.read?.verdict.consistency).toBe('counted');
    expect(outcome.rows).toHaveLength(20_000);
  });

  test('that say more than came are never ignored', async () => {
    const { error } = await readFake(
      [view],
      cut(() => 19_990, 'true'),
    );
    expect(error?.message).toContain('19,990 rows came, but the instance counts 20,000');
  });

  test('that are not offered leave a view best-effort, which is said', async () => {
    const small = tableOf('V', [], [['Name', 'text']], [{ Name: 'a' }]);
    for (const status of [400, 500]) {
      const { read } = await readFake([small], ({ count }) => (count ? { status } : {}));
      expect(read?.verdict.consistency).toBe('best-effort');
      expect(read?.warnings.join()).toContain('offers no count');
    }
  });

  test('of the answer alone are no counts of the table', async () => {
    const { read, error } = await readFake(
      [view],
      cut(() => 5_990, 'of the answer'),
    );
    expect(error ?? read?.verdict.consistency).toBe('best-effort');
  });

  test('that fell because rows were deleted meanwhile do not make a table fail', async () => {
    const table = guidTable(500);
    const outcome = await readFake([table], (request) => {
      const answer = honest(request);
      if (request.select.includes('Name') && table.rows.length === 500) {
        table.rows = table.rows.slice(0, 490);
        return { ...answer, rows: table.rows };
      }
      return answer;
    });
    expectExact(outcome, table.rows);
  });
});

describe('keys that cannot be asked for', () => {
  const keyRefused: Behave = (request) => {
    if (/Id (ge|le)/.test(request.filter)) return { status: 500 };
    return undefined;
  };

  test.each(['guid', 'int32'] as const)('(%s) make a table counted where the instance counts', async (kind) => {
    const rows = Array.from({ length: 300 }, (_, i) => ({ Id: kind === 'guid' ? guid(i) : i, Name: `n${i}` }));
    const table = tableOf(
      'T',
      ['Id'],
      [
        ['Id', kind],
        ['Name', 'text'],
      ],
      rows,
    );
    const outcome = await readFake([table], (request) => keyRefused(request) ?? honest(request));
    expect(outcome.read?.verdict.consistency).toBe('counted');
    expect(differences(outcome, rows, 'Id')).toEqual(NONE);
  });

  test('make a table fail where it does not count, unless the pipeline accepts that', async () => {
    const table = guidTable(300);
    const behave: Behave = (request) => keyRefused(request) ?? (request.count ? NO_COUNTS : {});
    const { error } = await readFake([table], behave);
    expect(error?.code).toBe('END_UNPROVEN');
    expect(error?.hint).toContain('accept: best-effort');
    const accepted = await readFake([table], behave, { accept: 'best-effort' });
    expect(accepted.read?.verdict.consistency).toBe('best-effort');
    expect(accepted.read?.warnings.join()).toContain('best-effort, not exact');
  });

  test('because filters are ignored are noticed', async () => {
    for (const counts of [true, false]) {
      const table = guidTable(300);
      const outcome = await readFake([table], ({ top, count }) => {
        if (count && !counts) return NO_COUNTS;
        return { rows: table.rows.slice(0, top ?? 300), ...(count ? { count: 300 } : {}) };
      });
      if (outcome.error === null) {
        expect(outcome.read?.verdict.consistency).not.toBe('exact');
        expect(differences(outcome, table.rows, 'Id')).toEqual(NONE);
      } else expect(outcome.error.code).toBe('END_UNPROVEN');
    }
  });
});

describe('hidden rows', () => {
  const active = (nullable: boolean): FakeTable => {
    const value = (i: number) => (i % 4 === 1 ? true : nullable && i % 4 === 2 ? null : false);
    const rows = Array.from({ length: 200 }, (_, i) => ({ Id: guid(i), Void: value(i), Name: `n${i}` }));
    return tableOf(
      'T',
      ['Id'],
      [['Id', 'guid'], nullable ? ['Void', 'boolean', null] : ['Void', 'boolean'], ['Name', 'text']],
      rows,
    );
  };
  const names = (filter: string) => /\bVoid\b/.test(filter.replace(/'(?:[^']|'')*'/g, ''));
  const shown = (rows: readonly Row[]) => rows.filter(({ Void }) => Void === false);
  type Hide = (request: FakeRequest) => FakeAnswer | readonly Row[];
  const hides: Readonly<Record<string, Hide>> = {
    'on every read': ({ matching, filter }) => (names(filter) ? matching : shown(matching)),
    'on reads without a filter': ({ matching, filter }) => (filter === '' ? shown(matching) : matching),
    'where a group matches no null': ({ matching, filter }) =>
      !names(filter) ? shown(matching) : filter.includes('(') ? matching.filter(({ Void }) => Void !== null) : matching,
    'while the question is refused': ({ matching, filter }) => (names(filter) ? { status: 400 } : shown(matching)),
    'while the question fails': ({ matching, filter }) => (names(filter) ? { status: 500 } : shown(matching)),
  };
  for (const [how, hide] of Object.entries(hides)) {
    for (const nullable of [false, true]) {
      test(`${how} all come, or it is not exact (nullable: ${nullable})`, async () => {
        for (const counts of [true, false]) {
          const table = active(nullable);
          const outcome = await readFake([table], (request) => {
            if (request.count && !counts) return NO_COUNTS;
            const rows = hide(request);
            if (!('length' in rows)) return rows;
            return { rows: rows.slice(0, request.top ?? 9e9), ...(request.count ? { count: rows.length } : {}) };
          });
          if (outcome.error !== null) expect(outcome.error.code).toBe('END_UNPROVEN');
          else if (outcome.read?.verdict.consistency === 'exact') expectExact(outcome, table.rows);
          else expect(outcome.read?.warnings.join()).toContain('hides rows with Void');
        }
      });
    }
  }

  test('are looked for also where the user’s filter holds the name of the column inside a quoted text', async () => {
    const table = active(false);
    const filter = { op: 'text', text: "Name le 'o Void eq true'" } as const;
    const outcome = await readFake(
      [table],
      (request) => {
        const rows = hides['on every read']!(request) as readonly Row[];
        return { rows: rows.slice(0, request.top ?? 9e9), ...(request.count ? { count: rows.length } : {}) };
      },
      { filter },
    );
    expectExact(outcome, table.rows);
  });
});

describe('a table that changes while it is read', () => {
  test('by growing at its end faster than a request lasts is read to an end, with every row that was there at the start', async () => {
    for (const counts of [true, false]) {
      for (const [size, growth] of [1000, 260, 2, 1, 0].flatMap((n) =>
        [1, 10, 150].map((more) => [n, more] as const),
      )) {
        const table = guidTable(size);
        const start = table.rows;
        const outcome = await readFake([table], (request) => {
          if (request.count && !counts) return NO_COUNTS;
          const answer = {
            rows: request.matching.slice(0, request.top ?? 9e9),
            ...(request.count ? { count: request.matching.length } : {}),
          };
          if (request.n > 5) {
            const from = table.rows.length;
            table.rows = [
              ...table.rows,
              ...Array.from({ length: growth }, (_, i) => ({ Id: guid(from + i), Name: `n${from + i}` })),
            ];
          }
          return answer;
        });
        // Of which three in four are for the keys of answers, since nothing is counted.
        expect(outcome.requests.length).toBeLessThan(160);
        expect(outcome.read?.verdict.consistency).toBe('exact');
        expect(differences(outcome, start, 'Id').missing).toBe(0);
      }
    }
  });
});

describe('small tables', () => {
  test.each([0, 1, 2, 3])('of %i rows are exact, with counts and without', async (n) => {
    for (const counts of [true, false]) {
      const table = guidTable(n);
      const other = guidTable(5, 'U');
      const outcome = await readFake(
        [table, other],
        (request) => (counts ? honest(request) : request.count ? NO_COUNTS : {}),
        { name: 'T' },
      );
      expectExact(outcome, table.rows);
    }
  });

  test('that are empty to a read without a filter alone are not taken for empty', async () => {
    const table = guidTable(40);
    const outcome = await readFake([table], ({ filter, matching, count, top }) =>
      count ? NO_COUNTS : { rows: filter === '' && top === null ? [] : matching.slice(0, top ?? 9e9) },
    );
    expectHonest(outcome, table.rows);
  });
});

describe('the order of keys', () => {
  const mixed = Array.from({ length: 400 }, (_, i) => ({
    Id: `${((i * 2654435761) >>> 0).toString(16).padStart(8, '0')}-0000-4000-8000-${((i * 40503) % 65536).toString(16).padStart(12, '0')}`,
    Name: `n${i}`,
  }));
  const byText = mixed.toSorted((a, b) => (a.Id < b.Id ? -1 : 1));
  const bySql = mixed.toSorted((a, b) => compareGuidsAsSqlServer(a.Id, b.Id));

  function comparing(rows: readonly Row[], compare: (a: string, b: string) => number, cap: number): Behave {
    return ({ filter, top, count }) => {
      if (count) return NO_COUNTS;
      const bound = (op: string) => new RegExp(`Id ${op} (\\S+)`).exec(filter)?.[1];
      const [ge, le] = [bound('ge'), bound('le')];
      const matching = rows.filter(
        ({ Id }) =>
          (ge === undefined || compare(String(Id), ge) >= 0) && (le === undefined || compare(String(Id), le) <= 0),
      );
      return { rows: matching.slice(0, Math.min(cap, top ?? cap)) };
    };
  }

  test.each([9e9, 90])('of a server that compares GUIDs as text is found out (cut at %d)', async (cap) => {
    const table = tableOf(
      'T',
      ['Id'],
      [
        ['Id', 'guid'],
        ['Name', 'text'],
      ],
      byText,
    );
    const outcome = await readFake(
      [table],
      comparing(byText, (a, b) => (a < b ? -1 : a > b ? 1 : 0), cap),
    );
    expectExact(outcome, byText);
  });

  test.each([9e9, 90])("of a server that compares them as SQL Server is SQL Server's (cut at %d)", async (cap) => {
    const table = tableOf(
      'T',
      ['Id'],
      [
        ['Id', 'guid'],
        ['Name', 'text'],
      ],
      bySql,
    );
    expectExact(await readFake([table], comparing(bySql, compareGuidsAsSqlServer, cap)), bySql);
  });

  test.each([9e9, 90])(
    'of a server that sends one order and filters by another is never exact and short (cut at %d)',
    async (cap) => {
      const table = tableOf(
        'T',
        ['Id'],
        [
          ['Id', 'guid'],
          ['Name', 'text'],
        ],
        byText,
      );
      expectHonest(await readFake([table], comparing(byText, compareGuidsAsSqlServer, cap)), byText);
      expectHonest(
        await readFake(
          [table],
          comparing(bySql, (a, b) => (a < b ? -1 : a > b ? 1 : 0), cap),
        ),
        byText,
      );
    },
  );
});

describe('large tables', () => {
  test('of a server that compares GUIDs as text are cut in that order, and read once', async () => {
    const rows = Array.from({ length: 60_000 }, (_, i) => ({
      Id: `${((i * 2654435761) >>> 0).toString(16).padStart(8, '0')}-0000-4000-8000-${((i * 40503) % 65536).toString(16).padStart(12, '0')}`,
      Name: 'n',
    })).sort((a, b) => (a.Id < b.Id ? -1 : 1));
    const table = tableOf(
      'T',
      ['Id'],
      [
        ['Id', 'guid'],
        ['Name', 'text'],
      ],
      rows,
    );
    const outcome = await readFake([table], ({ filter, top, count }) => {
      const bound = (op: string) => new RegExp(`Id ${op} (\\S+)`).exec(filter)?.[1];
      const [ge, le] = [bound('ge'), bound('le')];
      const matching = rows.filter(({ Id }) => (ge === undefined || Id >= ge) && (le === undefined || Id <= le));
      return { rows: matching.slice(0, top ?? 9e9), ...(count ? { count: matching.length } : {}) };
    });
    expectExact(outcome, rows);
    expect(outcome.read?.plan.strategy).toBe('ranges');
    expect(outcome.read?.warnings).toEqual([]);
    const whole = outcome.requests.filter((url) => url.startsWith('T?$select=Id,Name') && !url.includes('$filter'));
    expect(whole).toEqual([]);
  });

  test('whose keys break off once are read again and cut all the same', async () => {
    const table = guidTable(60_000);
    let broken = 0;
    const outcome = await readFake([table], (request) => {
      const isKeyScan = request.select.length === 1 && request.filter === '' && request.top === null;
      if (isKeyScan && broken++ === 0) return { body: '{"value":[{"Id":"' };
      return honest(request);
    });
    expectExact(outcome, table.rows);
    expect(outcome.read?.plan.strategy).toBe('ranges');
  });

  test('whose keys cannot be read at all are read in one piece, which is said', async () => {
    const table = guidTable(60_000);
    const outcome = await readFake([table], (request) => {
      const isKeyScan = request.select.length === 1 && request.filter === '' && request.top === null;
      return isKeyScan ? { body: '{"value":[{"Id":"' } : honest(request);
    });
    expectExact(outcome, table.rows);
    expect(outcome.planned?.warnings.join()).toContain('read in one piece');
  });

  test('stop reading ranges once one of them is disproved', async () => {
    const table = guidTable(60_000);
    let ranged = 0;
    const outcome = await readFake([table], (request) => {
      if (!request.select.includes('Name') || request.filter === '') return honest(request);
      // Filters on the key are ignored in reads of rows.
      ranged++;
      return { rows: table.rows.slice(0, request.top ?? 9e9), ...(request.count ? { count: 60_000 } : {}) };
    });
    expect(ranged).toBeLessThanOrEqual(4);
    expectHonest(outcome, table.rows);
    expect(outcome.read?.warnings.join()).toContain('another way than planned');
  });
});
