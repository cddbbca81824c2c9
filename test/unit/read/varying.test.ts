/** Servers whose limits vary, or are of another kind than what is read: an answer that ends says little of the next. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Behave,
  type FakeTable,
  guid,
  guidTable,
  type Outcome,
  type Row,
  readFake,
  tableOf,
} from '../../support/odata.ts';

const KEYS = {
  guid,
  int32: (i: number) => i,
  text: (i: number) => `k${String(i).padStart(6, '0')}`,
  date: (i: number) => new Date((15_000 + i) * 86_400_000).toISOString().slice(0, 10),
  timestamp: (i: number) => new Date(1_600_000_000_000 + i * 1000).toISOString().replace('.000', ''),
} as const;
type Kind = keyof typeof KEYS;
const KINDS = Object.keys(KEYS) as Kind[];

function tableWith(kind: Kind, size: number, name: (i: number) => string = (i) => `n${i}`): FakeTable {
  const rows = Array.from({ length: size }, (_, i) => ({ Id: KEYS[kind](i), Name: name(i) }));
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

/** Never exact, nor counted, unless every row of `truth` came, and none twice. */
function expectTruth({ error, read, rows }: Outcome, truth: readonly Row[]): void {
  if (error !== null || read?.verdict.consistency === 'best-effort') return;
  const came = rows.map((row) => String(row['Id']));
  const seen = new Set(came);
  expect(came.length).toBe(seen.size);
  expect(truth.filter((row) => !seen.has(String(row['Id'])))).toEqual([]);
}

const NO_COUNTS = { status: 400 } as const;
const limited = (rows: readonly Row[], ...most: readonly (number | null)[]) =>
  rows.slice(0, Math.min(...most.map((each) => each ?? Number.POSITIVE_INFINITY)));

describe('answers that are cut', () => {
  test.each(KINDS)('at a number of rows that varies with each (key %s) are never taken for whole', async (kind) => {
    const most = fc.oneof(
      fc.constantFrom(1, 1, 30, 30, 30, 30, 30, 10_000),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 400 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 900 }),
        fc.array(most, { minLength: 40, maxLength: 60 }),
        async (size, cuts) => {
          const table = tableWith(kind, size);
          const behave: Behave = ({ matching, top, n }) => ({ rows: limited(matching, cuts[n % cuts.length]!, top) });
          expectTruth(await readFake([table], behave), table.rows);
        },
      ),
      { numRuns: 40 },
    );
  });

  test.each(KINDS)('in a busy time alone (key %s) are gone on from, though later ones are longer', async (kind) => {
    const table = tableWith(kind, 3000);
    for (const quiet of [8, 12, 14, 20, 24, 31]) {
      const outcome = await readFake([table], ({ matching, top, n }) => ({
        rows: limited(matching, n < quiet ? 100 : 800, top),
      }));
      expectTruth(outcome, table.rows);
      expect(outcome.rows).toHaveLength(3000);
    }
  });

  test.each(KINDS)(
    'by the bytes of rows, whatever is selected (key %s), never end at a row that is larger',
    async (kind) => {
      const large = (i: number) => (i === 500 ? 'x'.repeat(120_000) : `n${i}`);
      const table = tableWith(kind, 1200, large);
      const outcome = await readFake([table], ({ matching, top }) => {
        let bytes = 0;
        const cut = matching.findIndex((row, n) => {
          bytes += String(row['Name']).length + 60;
          return n > 0 && bytes > 20_000;
        });
        return { rows: limited(cut < 0 ? matching : matching.slice(0, cut), top) };
      });
      expectTruth(outcome, table.rows);
    },
  );
});

describe('a table that grows at its end with each request', () => {
  const cases = KINDS.flatMap((kind) =>
    [1, 3, 50].flatMap((growth) => [0, 2, 700].map((size) => ({ kind, growth, size }))),
  );
  test.each(cases)(
    'is read to an end, with every row of the start: $kind, $growth rows, $size at first',
    async ({ kind, growth, size }) => {
      const table = tableWith(kind, size);
      const start = table.rows;
      const outcome = await readFake([table], () => {
        const from = table.rows.length;
        const rows = [...table.rows];
        for (let i = from; i < from + growth; i++) rows.push({ Id: KEYS[kind](i), Name: `n${i}` });
        table.rows = rows;
        return undefined;
      });
      expect(outcome.error).toBeNull();
      expectTruth(outcome, start);
    },
  );
});

test('a table whose text keys grow by letters is read to an end', async () => {
  const letters = (i: number) =>
    Array.from({ length: 5 }, (_, place) => String.fromCharCode(97 + (Math.floor(i / 26 ** (4 - place)) % 26))).join(
      '',
    );
  for (const growth of [1, 3, 30, 150]) {
    const start = Array.from({ length: 380 }, (_, i) => ({ Id: letters(i), Name: 'n' }));
    const table: FakeTable = { ...tableWith('text', 0), rows: start };
    const outcome = await readFake([table], () => {
      const from = table.rows.length;
      const added = Array.from({ length: growth }, (_, i) => ({ Id: letters(from + i), Name: 'n' }));
      table.rows = [...table.rows, ...added];
      return undefined;
    });
    expect(outcome.error).toBeNull();
    expectTruth(outcome, start);
  }
});

describe('a table into which rows are inserted with each request, anywhere', () => {
  const cases = KINDS.flatMap((kind) =>
    [true, false].flatMap((counts) => [10_000, 300].map((most) => ({ kind, counts, most }))),
  );
  test.each(cases)(
    'is read exactly, with every row of the start: $kind, counts $counts, answers of $most',
    async ({ kind, counts, most }) => {
      for (const growth of [1, 7, 60]) {
        // Every tenth key is there at first.
        const start = Array.from({ length: 800 }, (_, i) => ({ Id: KEYS[kind](i * 10), Name: `n${i}` }));
        const table = { ...tableWith(kind, 0), rows: start as readonly Row[] };
        const present = new Set(start.map(({ Id }) => Id));
        const outcome = await readFake([table], ({ matching, top, count, n }) => {
          const added: Row[] = [];
          for (let i = 0; i < growth; i++) {
            const Id = KEYS[kind](((n * 7919 + i * 104_729) % 799) * 10 + 1 + ((n + i) % 9));
            if (!present.has(Id)) added.push({ Id, Name: 'new' });
            present.add(Id);
          }
          // After this answer.
          table.rows = [...table.rows, ...added].sort((a, b) => (a['Id']! < b['Id']! ? -1 : 1));
          return { rows: limited(matching, most, top), ...(counts && count ? { count: matching.length } : {}) };
        });
        expect(outcome.read?.verdict.consistency).toBe('exact');
        expectTruth(outcome, start);
      }
    },
  );
});

describe('a table with a key of two columns that grows with each request', () => {
  test.each([
    ['in its first column', (i: number) => ({ Id: i, Line: 1 })],
    ['in its second column', (i: number) => ({ Id: 1, Line: i })],
    ['in both', (i: number) => ({ Id: Math.floor(i / 7), Line: i % 7 })],
  ])('%s is read to an end, or given up', async (_, row) => {
    for (const growth of [1, 3, 50]) {
      const rows = Array.from({ length: 100 }, (_, i) => row(i));
      const table = tableOf(
        'T',
        ['Id', 'Line'],
        [
          ['Id', 'int32'],
          ['Line', 'int32'],
        ],
        rows,
      );
      const outcome = await readFake([table], () => {
        const from = table.rows.length;
        table.rows = [...table.rows, ...Array.from({ length: growth }, (_, i) => row(from + i))];
        return undefined;
      });
      if (outcome.error === null) expect(outcome.rows.length).toBeGreaterThanOrEqual(100);
      else expect(outcome.error.code).toBe('END_UNPROVEN');
    }
  });
});

describe('a count that says more than what came', () => {
  const counts: readonly (readonly [string, (counted: number, top: number | null) => number])[] = [
    ['capped where $top is sent', (counted, top) => (top === null ? counted : Math.min(counted, 1000))],
    ['capped where $top is not sent', (counted, top) => (top === null ? Math.min(counted, 1000) : counted)],
  ];
  test.each(counts)('is not settled by one that is %s', async (_, countOf) => {
    const view = tableOf('V', [], [['Name', 'text']], guidTable(5000).rows);
    for (const table of [guidTable(5000), view]) {
      const outcome = await readFake([table], ({ matching, top, count }) => {
        const shown = matching.filter((row) => table.rows.indexOf(row) < 4000);
        return { rows: limited(shown, top), ...(count ? { count: countOf(matching.length, top) } : {}) };
      });
      const known = outcome.error === null ? outcome.rows.length : null;
      expect(known).toBeNull();
    }
  });
});

describe('a key of several columns', () => {
  test.each([300, 10_000])(
    'led by text that is compared without case is read exactly, in answers of %s',
    async (most) => {
      const rows = Array.from({ length: 1000 }, (_, i) => ({
        Id: `${i % 2 === 0 ? 'a' : 'A'}${String(Math.floor(i / 2)).padStart(4, '0')}`,
        Line: i % 2,
      }));
      const table = tableOf(
        'T',
        ['Id', 'Line'],
        [
          ['Id', 'text'],
          ['Line', 'int32'],
        ],
        rows,
      );
      const bound = (filter: string, op: string) => new RegExp(`Id ${op} '([^']*)'`).exec(filter)?.[1]?.toLowerCase();
      const outcome = await readFake([table], ({ filter, top }) => {
        const [ge, le] = [bound(filter, 'ge') ?? '', bound(filter, 'le') ?? '~'];
        return {
          rows: limited(
            rows.filter(({ Id }) => Id.toLowerCase() >= ge && Id.toLowerCase() <= le),
            most,
            top,
          ),
        };
      });
      expect(outcome.read?.verdict.consistency).toBe('exact');
      expect(outcome.rows).toHaveLength(1000);
    },
  );
});

describe('a key whose first column has no order', () => {
  // Rows in order of the key are in order of its second column, until the first one changes.
  const rows = [false, true].flatMap((lead) =>
    Array.from({ length: 80 }, (_, i) => ({ Id: `${lead}${i}`, Lead: lead, Line: i })),
  );
  const table = tableOf(
    'T',
    ['Lead', 'Line'],
    [
      ['Lead', 'boolean'],
      ['Line', 'int32'],
      ['Id', 'text'],
    ],
    rows,
  );
  test.each([10, 50, 79, 80, 81, 100, 159])('is never exact with rows missing, in answers of %s', async (most) => {
    const cut = await readFake([table], ({ matching, top }) => ({ rows: limited(matching, most, top) }));
    expectTruth(cut, rows);
    const linked = await readFake([table], ({ matching, top, skip, url }) => {
      url.searchParams.set('$skiptoken', String(Number(url.searchParams.get('$skiptoken') ?? 0) + most));
      const at = Number(url.searchParams.get('$skiptoken')) - most + skip;
      const more = top === null && at + most < matching.length;
      return { rows: limited(matching.slice(at), most, top), ...(more ? { link: `T${url.search}` } : {}) };
    });
    expectTruth(linked, rows);
    expect(linked.error).toBeNull();
    expect(linked.rows).toHaveLength(160);
  });
});

test('a small table with a key of two columns is exact without counts, unless many rows share the first', async () => {
  for (const ids of [[1], [1, 1], [1, 2], [1, 1, 2], [1, 2, 2], [1, 2, 3], [1, 1, 2, 2, 3]]) {
    for (const kind of ['int32', 'text', 'guid'] as const) {
      const rows = ids.map((id, Line) => ({ Id: KEYS[kind](id), Line }));
      const table = tableOf(
        'T',
        ['Id', 'Line'],
        [
          ['Id', kind],
          ['Line', 'int32'],
        ],
        rows,
      );
      const outcome = await readFake([table], ({ count, matching, top }) =>
        count ? NO_COUNTS : { rows: limited(matching, top) },
      );
      if (outcome.error === null) expect(outcome.rows).toHaveLength(ids.length);
      else expect([kind, ids]).toEqual([kind, expect.arrayContaining([2])]);
      if (ids.length < 3) expect([kind, ids, outcome.read?.verdict.consistency]).toEqual([kind, ids, 'exact']);
    }
  }
});

test('many pages of rows that share the first column of a key cost a few requests each', async () => {
  const rows = Array.from({ length: 6000 }, (_, i) => ({ Id: i < 200 ? 1 : i < 5970 ? 2 : 3, Line: i }));
  const table = tableOf(
    'T',
    ['Id', 'Line'],
    [
      ['Id', 'int32'],
      ['Line', 'int32'],
    ],
    rows,
  );
  const outcome = await readFake([table], ({ matching, top, url }) => {
    const at = Number(url.searchParams.get('$skiptoken') ?? 0);
    url.searchParams.set('$skiptoken', String(at + 100));
    const more = top === null && at + 100 < matching.length;
    return { rows: limited(matching.slice(at), 100, top), ...(more ? { link: `T${url.search}` } : {}) };
  });
  expect(outcome.read?.verdict.consistency).toBe('exact');
  expect(outcome.rows).toHaveLength(6000);
  // Once for the rows, once for the keys of all.
  expect(outcome.requests.length).toBeLessThan(5 * 60 + 20);
});

describe('a queue, whose oldest rows are deleted with each request', () => {
  test.each(KINDS)('is read exactly, with every row that stays (key %s)', async (kind) => {
    const table = tableWith(kind, 400);
    const outcome = await readFake([table], () => {
      table.rows = table.rows.slice(2);
      return {};
    });
    expect(outcome.read?.verdict.consistency).toBe('exact');
    expectTruth(outcome, table.rows);
  });
});

describe('rows that lie in no order, as in a heap, where those of an answer happen to be in one', () => {
  /** Some rows were updated once, and lie at the end since. */
  const heap = (rows: readonly Row[], moved: readonly number[]): readonly Row[] => [
    ...rows.filter((_, i) => !moved.includes(i)),
    ...moved.map((i) => rows[i]!),
  ];

  test.each(KINDS)('are never exact with one missing, nothing counted, answers cut anywhere (key %s)', async (kind) => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 400 }),
        fc.uniqueArray(fc.integer({ min: 0, max: 399 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 3, max: 400 }),
        fc.constantFrom(0, 0, 1, 20),
        fc.constantFrom(0.5, 1, 4),
        fc.boolean(),
        async (size, moved, most, growth, ofKeys, isRotated) => {
          const table = tableWith(kind, 0);
          const rows = Array.from({ length: size }, (_, i) => ({ Id: KEYS[kind](i * 10), Name: `n${i}` }));
          const inside = moved.filter((i) => i < size);
          // What was written last may lie where there was room: at the beginning.
          const at = inside[0] ?? 0;
          table.rows = isRotated ? [...rows.slice(at), ...rows.slice(0, at)] : heap(rows, inside);
          const outcome = await readFake([table], ({ matching, top, n, select }) => {
            // Others are added meanwhile, in their place or at the end.
            const added = Array.from({ length: growth }, (_, i) => ({
              Id: KEYS[kind](((n * 7919 + i) % size) * 10 + 1 + (n % 9)),
              Name: 'new',
            }));
            const present = new Set(table.rows.map(({ Id }) => Id));
            table.rows = [...table.rows, ...added.filter(({ Id }) => !present.has(Id))];
            return { rows: limited(matching, select.length === 1 ? Math.ceil(most * ofKeys) : most, top) };
          });
          expectTruth(outcome, rows);
        },
      ),
      { numRuns: 60 },
    );
  });

  test.each([true, false])(
    'are never exact with one missing where the key has two columns and other tables are counted (with fewer rows after the read: %s)',
    async (counts) => {
      for (const moved of [[5], [45], [150], [150, 151], [298]]) {
        const rows = Array.from({ length: 300 }, (_, i) => ({ Id: Math.floor(i / 2), Line: i % 2, Name: `n${i}` }));
        const columns = [
          ['Id', 'int32'],
          ['Line', 'int32'],
          ['Name', 'text'],
        ] as const;
        const table = tableOf('T', ['Id', 'Line'], columns, heap(rows, moved));
        const behave: Behave = ({ table: { schema }, matching, filter, top, count }) => {
          const isCounted = count && (counts || schema.name !== 'T');
          const answer = { rows: limited(matching, 100, top), ...(isCounted ? { count: matching.length } : {}) };
          if (counts && schema.name === 'T' && /ge/.test(filter)) table.rows = table.rows.filter(({ Id }) => Id !== 3);
          return answer;
        };
        const outcome = await readFake([guidTable(10, 'A'), table], behave, { name: 'T' });
        const named = { ...outcome, rows: outcome.rows.map((row) => ({ ...row, Id: row['Name']! })) };
        expectTruth(
          named,
          table.rows.map((row) => ({ Id: row['Name']! })),
        );
      }
    },
  );

  test('are never exact with one missing in the place of another that is deleted, though both counts agree with what came', async () => {
    const rows = tableWith('int32', 300).rows;
    for (const moved of [[45], [150], [295, 7]]) {
      for (const [most, deleted] of [
        [30, 200],
        [299, 200],
        [100, 3],
      ]) {
        const table = { ...tableWith('int32', 0), rows: heap(rows, moved) };
        const outcome = await readFake([table], ({ matching, filter, top, count }) => {
          const answer = { rows: limited(matching, most!, top), ...(count ? { count: matching.length } : {}) };
          // As soon as its answer went out.
          if (answer.rows.some(({ Id }) => Id === deleted) && !/le/.test(filter))
            table.rows = table.rows.filter(({ Id }) => Id !== deleted);
          return answer;
        });
        expectTruth(outcome, table.rows);
      }
    }
  });

  test('are never exact with one missing in a table that is read in ranges, nothing counted', async () => {
    for (const most of [10_001, 30_000]) {
      const rows = guidTable(60_000).rows;
      const table = { ...guidTable(0), rows: heap(rows, [45, 20_111, 59_998]) };
      const outcome = await readFake([table], ({ matching, select, top }) => {
        // Its keys come from an index, whole and in order.
        const keys = select.length === 1 && top === null;
        return {
          rows: keys ? matching.toSorted((a, b) => (a['Id']! < b['Id']! ? -1 : 1)) : limited(matching, most, top),
        };
      });
      expectTruth(outcome, rows);
    }
  });
});

describe('a count that came with the very rows, of a server that lacks some of them', () => {
  const rows = guidTable(60).rows;
  const keyed: FakeTable = { ...guidTable(0), rows };
  const ofText: FakeTable = { ...tableWith('text', 0), rows };
  const view = tableOf(
    'V',
    [],
    [
      ['Id', 'guid'],
      ['Name', 'text'],
    ],
    rows,
  );
  test.each([
    ['by its key', keyed, [0]],
    ['by a key that is text', ofText, [0]],
    ['by a key that is text, twice', ofText, [0, 1]],
    ['without a key', view, [0]],
  ] as const)('is held against one by itself: %s', async (_, table, bad) => {
    for (const lost of [[59], [7], [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]]) {
      let reads = 0;
      const outcome = await readFake([table], ({ matching, filter, top, count, select }) => {
        const isRead = filter === '' && top === null && select.length > 1;
        const lacks = isRead && (bad as readonly number[]).includes(reads++);
        const had = lacks ? matching.filter((row) => !lost.some((n) => rows[n] === row)) : matching;
        return { rows: limited(had, top), ...(count ? { count: had.length } : {}) };
      });
      expectTruth(outcome, rows);
      expect(outcome.error).toBeNull();
      expect(outcome.rows).toHaveLength(60);
    }
  });
});

describe('a table', () => {
  test('whose key takes no filters does not speak for others', async () => {
    const small = guidTable(5, 'A');
    const table = guidTable(300, 'B');
    const behave: Behave = ({ table: { schema }, filter, top, matching }) =>
      schema.name === 'A' && filter !== '' ? NO_COUNTS : { rows: limited(matching, 100, top) };
    const outcome = await readFake([small, table], (request) => (request.count ? NO_COUNTS : behave(request)), {
      name: 'B',
    });
    expect(outcome.read?.verdict.consistency).toBe('exact');
    expect(outcome.rows).toHaveLength(300);
  });

  test('without rows is counted, whatever its key, where two answers are empty and the instance counts none', async () => {
    const table = tableOf('T', ['Id'], [['Id', 'boolean']], []);
    const outcome = await readFake([table], ({ count }) => ({ rows: [], ...(count ? { count: 0 } : {}) }));
    expect(outcome.read?.verdict.consistency).toBe('counted');
    // An answer of which the count says more is no empty table.
    const lies = await readFake([table], ({ count }) => ({ rows: [], ...(count ? { count: 5 } : {}) }));
    expect(lies.read).toBeNull();
  });

  test('that is emptied between a question and the read is empty, where the instance counts none', async () => {
    for (const size of [1, 2]) {
      const queue = guidTable(size, 'Q');
      let asked = false;
      const behave: Behave = ({ table, matching, top, count }) => {
        const rows = asked && table.schema.name === 'Q' ? [] : matching;
        if (table.schema.name === 'Q') asked = true;
        return { rows: limited(rows, top), ...(count ? { count: rows.length } : {}) };
      };
      const outcome = await readFake([queue, guidTable(10, 'B')], behave, { name: 'Q' });
      expect(outcome.error).toBeNull();
      expect(outcome.rows).toHaveLength(0);
    }
    // Many rows are not taken all at once.
    const table = guidTable(500, 'Q');
    let reads = 0;
    const outcome = await readFake([table, guidTable(10, 'B')], ({ matching, top, count, table: { schema } }) => {
      const rows = schema.name === 'Q' && reads++ > 3 ? [] : matching;
      return { rows: limited(rows, 100, top), ...(count ? { count: rows.length } : {}) };
    });
    expectTruth(outcome, table.rows);
  });

  test('without a key is never counted where its pages are linked by an offset of another name, and one row is deleted meanwhile', async () => {
    for (const name of ['offset', 'page', 'start']) {
      const view = tableOf('V', [], [['Id', 'guid']], guidTable(500).rows);
      let first = true;
      const outcome = await readFake([view], ({ top, count, url, table }) => {
        const at =
          name === 'page'
            ? (Number(url.searchParams.get(name) ?? 1) - 1) * 100
            : Number(url.searchParams.get(name) ?? 0);
        const all = [...table.rows];
        const rows = limited(all.slice(at), 100, top);
        if (top === null && first) {
          first = false;
          view.rows = view.rows.slice(1);
        }
        const next = name === 'page' ? at / 100 + 2 : at + 100;
        const more = top === null && at + 100 < all.length;
        return { rows, ...(count ? { count: all.length } : {}), ...(more ? { link: `V?${name}=${next}` } : {}) };
      });
      const came = new Set(outcome.rows.map((row) => String(row['Id'])));
      const lost = view.rows.filter((row) => !came.has(String(row['Id'])));
      if (lost.length > 0 && outcome.error === null) expect(outcome.read?.verdict.consistency).toBe('best-effort');
      expect(outcome.read?.verdict.consistency).not.toBe('exact');
    }
  });
});
