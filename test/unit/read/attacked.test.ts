/** Servers that made an earlier engine call wrong data exact. Each is the smallest of its kind; the law is in the name. */
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

const NO_COUNTS = { status: 400 } as const;
const limited = (rows: readonly Row[], ...most: readonly (number | null)[]) =>
  rows.slice(0, Math.min(...most.map((each) => each ?? Number.POSITIVE_INFINITY)));

/** Never exact, nor counted, unless every row that there is came once. */
function expectTruth(outcome: Outcome, truth: readonly Row[], name = 'Id'): void {
  if (outcome.error !== null || outcome.read?.verdict.consistency === 'best-effort') return;
  const came = outcome.rows.map((row) => String(row[name]));
  expect(came.length).toBe(new Set(came).size);
  const seen = new Set(came);
  expect(truth.filter((row) => !seen.has(String(row[name]))).length).toBe(0);
  expect(came.length).toBe(truth.length);
}

function rowsOf(n: number, id: (i: number) => string | number, more: (i: number) => object = () => ({})): Row[] {
  return Array.from({ length: n }, (_, i) => ({ Id: id(i), Name: `n${i}`, ...more(i) }));
}

describe('a count', () => {
  test('that is cut at the same number as answers are does not end a read', async () => {
    const table = guidTable(5000);
    const outcome = await readFake([table], ({ matching, top, count }) => ({
      rows: limited(matching, 1000, top),
      ...(count ? { count: Math.min(1000, matching.length) } : {}),
    }));
    expect(outcome.rows).toHaveLength(5000);
    expectTruth(outcome, table.rows);
  });

  test('of the answer alone, asked for again, does not settle one that said more', async () => {
    const view = tableOf(
      'V',
      [],
      [['Name', 'text']],
      rowsOf(500, (i) => i),
    );
    for (const table of [view, guidTable(500)]) {
      const outcome = await readFake([table], ({ matching, top, count, filter }) => {
        const rows = limited(filter === '' ? matching.slice(0, 300) : [], top);
        return { rows, ...(count ? { count: top === null ? 500 : rows.length } : {}) };
      });
      expectTruth(outcome, table.rows, 'Name');
    }
  });

  test('that ignores filters does not make the ranges of a large table fail', async () => {
    const table = guidTable(60_000);
    const outcome = await readFake([table], ({ matching, top, count }) => ({
      rows: limited(matching, top),
      ...(count ? { count: 60_000 } : {}),
    }));
    expect(outcome.read?.verdict.consistency).toBe('exact');
    expectTruth(outcome, table.rows);
  });
});

describe('default filters', () => {
  const unlessNamed = (filter: string, name: string, shown: (row: Row) => boolean) => (row: Row) =>
    filter.includes(name) || shown(row);

  test('are found in tables whose key has several columns', async () => {
    const rows = rowsOf(
      60,
      (i) => guid(Math.floor(i / 3)),
      (i) => ({ Line: i % 3, Void: i % 3 === 2 }),
    );
    const table = tableOf(
      'T',
      ['Id', 'Line'],
      [
        ['Id', 'guid'],
        ['Line', 'int32'],
        ['Void', 'boolean'],
        ['Name', 'text'],
      ],
      rows,
    );
    const outcome = await readFake([table], ({ matching, top, count, filter }) => {
      const shown = matching.filter(unlessNamed(filter, 'Void', (row) => row['Void'] === false));
      return { rows: limited(shown, top), ...(count ? { count: shown.length } : {}) };
    });
    expectTruth(outcome, rows, 'Name');
    expect(outcome.rows).toHaveLength(60);
  });

  test('of two columns are found in rows that both of them hide', async () => {
    const rows = rowsOf(60, guid, (i) => ({ Void: i > 50, Is_Active: i <= 50 }));
    const table = tableOf(
      'T',
      ['Id'],
      [
        ['Id', 'guid'],
        ['Void', 'boolean'],
        ['Is_Active', 'boolean'],
        ['Name', 'text'],
      ],
      rows,
    );
    const outcome = await readFake([table], ({ matching, top, count, filter }) => {
      const shown = matching
        .filter(unlessNamed(filter, 'Void', (row) => row['Void'] === false))
        .filter(unlessNamed(filter, 'Is_Active', (row) => row['Is_Active'] === true));
      return { rows: limited(shown, top), ...(count ? { count: shown.length } : {}) };
    });
    expectTruth(outcome, rows);
    expect(outcome.rows).toHaveLength(60);
  });
});

describe('what was seen before', () => {
  test('is not forgotten when a later try brings less, above all nothing', async () => {
    for (const budget of [900, 25_000, 70_000]) {
      const table = guidTable(budget < 1000 ? 2000 : 60_000);
      let left = budget;
      const outcome = await readFake([table], ({ matching, top, count }) => {
        if (count) return NO_COUNTS;
        const rows = limited(matching, left, top);
        left -= rows.length;
        return { rows };
      });
      expectTruth(outcome, table.rows);
    }
  });

  test('by a question is not forgotten by two empty answers', async () => {
    const table = guidTable(500);
    const outcome = await readFake([table], ({ matching, top, count }) =>
      count ? NO_COUNTS : { rows: top === null ? [] : limited(matching, top) },
    );
    expectTruth(outcome, table.rows);
  });
});

describe('pages in no order', () => {
  test('whose opaque links count rows are held against the keys themselves, not their number', async () => {
    for (const added of [0, 10]) {
      const table = guidTable(1000);
      const shuffled = (rows: readonly Row[]) =>
        rows.toSorted(
          (a, b) =>
            String(a['Name']).length * 7 +
            String(a['Name']).charCodeAt(2) -
            (String(b['Name']).length * 7 + String(b['Name']).charCodeAt(2)),
        );
      let pages = 0;
      const outcome = await readFake([table], ({ matching, top, count, url, select }) => {
        if (count) return NO_COUNTS;
        const all = shuffled(matching);
        const from = Number(url.searchParams.get('$skiptoken') ?? 0);
        const rows = limited(all.slice(from), 100, top);
        const next = new URL(url);
        next.searchParams.set('$skiptoken', String(from + rows.length));
        if (select.includes('Name') && ++pages === 1) {
          const gone = new Set(all.slice(0, 10));
          table.rows = [...table.rows.filter((row) => !gone.has(row)), ...rowsOf(added, (i) => guid(5000 + i))];
        }
        return { rows, ...(top === null && from + rows.length < all.length ? { link: next.href } : {}) };
      });
      if (outcome.error === null) {
        const came = new Set(outcome.rows.map((row) => row['Id']));
        expect(table.rows.filter((row) => !came.has(row['Id']))).toEqual([]);
      }
    }
  });
});

describe('a closing read', () => {
  const pair: readonly ['Id', 'Line'] = ['Id', 'Line'];

  test('of a key of several columns that is cut within a group is not the end, nor a way past the group', async () => {
    for (const kind of ['int32', 'text'] as const) {
      const lead = (i: number) => (i < 900 ? i : i < 2400 ? 900 : i);
      const rows = rowsOf(
        3000,
        (i) => (kind === 'text' ? `k${String(lead(i)).padStart(6, '0')}` : lead(i)),
        (i) => ({ Line: i }),
      );
      const table = tableOf(
        'T',
        pair,
        [
          ['Id', kind],
          ['Line', 'int32'],
          ['Name', 'text'],
        ],
        rows,
      );
      for (const [whole, filtered] of [
        [1000, 500],
        [2000, 400],
        [700, 700],
        [1500, 1499],
      ]) {
        const outcome = await readFake([table], ({ matching, top, count, filter }) =>
          count ? NO_COUNTS : { rows: limited(matching, filter === '' ? whole! : filtered!, top) },
        );
        expectTruth(outcome, rows, 'Name');
      }
    }
  });

  test.each(['guid', 'int32', 'text', 'timestamp'] as const)(
    'that the next row (key %s) is too large for is not the end',
    async (kind) => {
      const instant = (i: number) => new Date(1_700_000_000_000 + i * 1000).toISOString().replace('.000', '');
      const id = {
        guid,
        int32: (i: number) => i,
        text: (i: number) => `k${String(i).padStart(5, '0')}`,
        timestamp: instant,
      }[kind];
      const rows = rowsOf(300, id, (i) => (i === 100 ? { Name: 'x'.repeat(50_000) } : {}));
      const table = tableOf(
        'T',
        ['Id'],
        [
          ['Id', kind],
          ['Name', 'text'],
        ],
        rows,
      );
      const outcome = await readFake([table], ({ matching, top, count, select }) => {
        if (count) return NO_COUNTS;
        let bytes = 0;
        const kept = matching.filter((row, n) => {
          bytes += JSON.stringify(select.map((name) => row[name])).length;
          return n === 0 || bytes < 10_000;
        });
        const cut = kept.findIndex((row, n) => row !== matching[n]);
        return { rows: limited(cut < 0 ? kept : kept.slice(0, cut), top) };
      });
      expectTruth(outcome, rows);
      expect(outcome.rows).toHaveLength(300);
    },
  );

  test('is needed for the row that a range begins with, too', async () => {
    const table = guidTable(60_000);
    const outcome = await readFake([table], ({ matching, top, count, filter, select }) => {
      if (count) return NO_COUNTS;
      const cut = filter.includes('ge') && filter.includes('le') && select.includes('Name');
      return { rows: limited(matching, cut ? 1 : null, top) };
    });
    expectTruth(outcome, table.rows);
  });
});

describe('short answers one after the other', () => {
  test('that known keys show to be cut are no trickle of new rows', async () => {
    const table = guidTable(9000);
    let reads = 0;
    const outcome = await readFake([table], ({ matching, top, count, select }) => {
      if (count) return NO_COUNTS;
      if (!select.includes('Name')) return { rows: limited(matching, top) };
      return { rows: limited(matching, reads++ === 0 ? 5000 : 200, top) };
    });
    expectTruth(outcome, table.rows);
  });
});

describe('filters that are not exact', () => {
  const tenths = (i: number) => new Date(1_700_000_000_000 + i * 700).toISOString().replace(/\.?0*Z$/, 'Z');
  const table = (n: number): FakeTable =>
    tableOf(
      'T',
      ['Id'],
      [
        ['Id', 'timestamp'],
        ['Name', 'text'],
      ],
      rowsOf(n, tenths),
    );
  const bound = (filter: string, op: string) => new RegExp(`Id ${op} (\\S+)`).exec(filter)?.[1];

  function rounding(round: (ms: number) => number, cap: number, counts: boolean): Behave {
    return ({ table: { rows: all }, filter, top, count }) => {
      if (count && !counts) return NO_COUNTS;
      const [ge, le] = [bound(filter, 'ge'), bound(filter, 'le')].map((each) =>
        each === undefined ? undefined : round(Date.parse(each)),
      );
      const rows = all.filter(
        ({ Id }) =>
          (ge === undefined || Date.parse(String(Id)) >= ge) && (le === undefined || Date.parse(String(Id)) <= le),
      );
      return { rows: limited(rows, cap, top), ...(count ? { count: rows.length } : {}) };
    };
  }

  test('since times in them are cut to seconds lose no row at the seams of ranges', async () => {
    const large = table(60_000);
    for (const counts of [true, false])
      expectTruth(
        await readFake(
          [large],
          rounding((ms) => Math.floor(ms / 1000) * 1000, 9e9, counts),
        ),
        large.rows,
        'Name',
      );
  });

  test('since times in them are rounded up lose no row where a read goes on', async () => {
    const small = table(3000);
    expectTruth(
      await readFake(
        [small],
        rounding((ms) => Math.ceil(ms / 1000) * 1000, 700, false),
      ),
      small.rows,
    );
  });

  test('do not make a table fail for rows that nothing hides', async () => {
    const rows = rowsOf(50, tenths, (i) => ({ Void: i % 3 === 1 }));
    const flagged = tableOf(
      'T',
      ['Id'],
      [
        ['Id', 'timestamp'],
        ['Void', 'boolean'],
        ['Name', 'text'],
      ],
      rows,
    );
    const cutting = rounding((ms) => Math.floor(ms / 1000) * 1000, 9e9, true);
    const outcome = await readFake([flagged], (request) => {
      const wanted = /Void eq (true|false)/.exec(request.filter)?.[1];
      const voids = rows.filter(({ Void }) => wanted === undefined || String(Void) === wanted);
      return cutting({ ...request, table: { ...request.table, rows: voids } });
    });
    expect(outcome.error).toBeNull();
    expect(outcome.rows).toHaveLength(50);
  });

  test('since text is sorted by characters, but compared without case, are found out', async () => {
    const rows = rowsOf(450, (i) =>
      i < 300 ? `A${String(i).padStart(4, '0')}` : `a${String(i - 300).padStart(4, '0')}x`,
    );
    // The last one that comes is the greatest to the filter.
    rows[299] = { Id: 'Z', Name: 'last' };
    const text = tableOf(
      'T',
      ['Id'],
      [
        ['Id', 'text'],
        ['Name', 'text'],
      ],
      rows,
    );
    const outcome = await readFake([text], ({ filter, top, count }) => {
      if (count) return NO_COUNTS;
      const quoted = (op: string) => new RegExp(`Id ${op} '([^']*)'`).exec(filter)?.[1]?.toUpperCase();
      const [ge, le] = [quoted('ge'), quoted('le')];
      const matching = rows.filter(
        ({ Id }) =>
          (ge === undefined || String(Id).toUpperCase() >= ge) && (le === undefined || String(Id).toUpperCase() <= le),
      );
      return { rows: limited(matching, 300, top) };
    });
    expectTruth(outcome, rows);
  });
});

describe('what never ends', () => {
  test('in pages of a view whose rows change is ended by its count', async () => {
    const view = tableOf(
      'V',
      [],
      [['Name', 'text']],
      rowsOf(100, (i) => i),
    );
    let n = 0;
    const outcome = await readFake([view], ({ top, count }) => ({
      rows: limited(
        Array.from({ length: 1000 }, () => ({ Name: `${n++}` })),
        top,
      ),
      ...(count ? { count: 100 } : {}),
      ...(top === null ? { link: `V?$skip=${n}` } : {}),
    }));
    expect(outcome.error?.code).toBe('PAGING_LOOP');
    expect(outcome.requests.length).toBeLessThan(100);
  });

  test('in a question costs its answer alone', async () => {
    const info = tableOf(
      'Dmv_Table_Info',
      [],
      [
        ['Table_Name', 'text'],
        ['Row_Count', 'int64'],
      ],
      [{ Table_Name: 'T', Row_Count: 9 }],
    );
    const table = guidTable(9);
    let n = 0;
    const outcome = await readFake(
      [table, info],
      ({ table: { schema }, count, matching, top }) =>
        schema.name === 'T'
          ? { rows: limited(matching, top), ...(count ? { count: matching.length } : {}) }
          : { rows: [{ Table_Name: 'T', Row_Count: n++ }], link: `Dmv_Table_Info?$skiptoken=${n}` },
      { name: 'T' },
    );
    expect(outcome.read?.verdict.consistency).toBe('exact');
  });
});

describe('a default filter that hides rows', () => {
  test.each(
    [true, false].flatMap((counts) =>
      (['first', 'last'] as const).flatMap((term) => [
        { counts, term, column: 'Void', shown: false },
        { counts, term, column: 'Is_Active', shown: true },
      ]),
    ),
  )('$column, where only the $term term of a group is applied, counts $counts', async (server) => {
    const { counts, term, column, shown } = server;
    const rows = rowsOf(100, guid, (i) => ({ [column]: i % 10 === 0 ? !shown : shown }));
    const table = tableOf(
      'T',
      ['Id'],
      [
        ['Id', 'guid'],
        ['Name', 'text'],
        [column, 'boolean'],
      ],
      rows,
    );
    const outcome = await readFake([table], ({ filter, matching, top, count }) => {
      const terms = /\(([^)]*)\)/.exec(filter)?.[1]?.split(' or ');
      const applied = (term === 'first' ? terms?.[0] : terms?.at(-1))?.endsWith('true');
      const some = matching.filter((row) =>
        applied === undefined ? filter.includes(column) || row[column] === shown : row[column] === applied,
      );
      return { rows: limited(some, top), ...(counts && count ? { count: some.length } : {}) };
    });
    expectTruth(outcome, rows);
  });

  test.each([true, false])('and filters on the key that are ignored, counts %s', async (counts) => {
    const rows = rowsOf(
      100,
      (i) => i + 1,
      (i) => ({ Void: i % 10 === 9 }),
    );
    const table = tableOf(
      'T',
      ['Id'],
      [
        ['Id', 'int32'],
        ['Name', 'text'],
        ['Void', 'boolean'],
      ],
      rows,
    );
    const outcome = await readFake([table], ({ filter, top, count }) => {
      const wanted = /^Void eq (true|false)/.exec(filter)?.[1];
      const some = rows.filter(
        (row) => filter.includes('(Void') || String('Void' in row && row.Void) === (wanted ?? 'false'),
      );
      return { rows: limited(some, top), ...(counts && count ? { count: some.length } : {}) };
    });
    expectTruth(outcome, rows);
  });
});

/** A table of 60,000 rows that an earlier snapshot read in six ranges. */
function hintedTable() {
  const keys = [1, 10_001, 20_001, 30_001, 40_001, 50_001, 60_000];
  const table = guidTable(60_000, 'T');
  const parts = keys.slice(1).map((last, i) => ({
    rows: 10_000,
    firstKey: [guid((keys[i] ?? 1) - 1)],
    lastKey: [guid(last - 1)],
  }));
  return { table, hints: [{ name: 'T', fingerprint: 'f', rows: 60_000, parts }] };
}

test('a range that comes empty, though the row that it begins with came, is not believed', async () => {
  const { table, hints } = hintedTable();
  const outcome = await readFake(
    [guidTable(10, 'A'), table],
    ({ table: { schema }, matching, filter, top, count }) => {
      if (schema.name !== 'T' || top !== null)
        return { rows: limited(matching, top), ...(count ? { count: matching.length } : {}) };
      return { rows: /ge \S+-4000-/.test(filter) ? [] : matching };
    },
    { name: 'T', hints },
  );
  expect(outcome.planned?.plan.strategy).toBe('ranges');
  expectTruth(outcome, table.rows);
});

describe('when a plan failed, the next one', () => {
  test('may not bring fewer rows', async () => {
    const { table, hints } = hintedTable();
    let left = 55_000;
    const outcome = await readFake(
      [guidTable(10, 'A'), table],
      ({ table: { schema }, matching, top, count }) => {
        if (schema.name !== 'T' || top !== null)
          return { rows: limited(matching, top), ...(count ? { count: matching.length } : {}) };
        const some = limited(matching, left);
        left -= some.length;
        return { rows: some };
      },
      { name: 'T', hints },
    );
    expect(outcome.planned?.plan.strategy).toBe('ranges');
    expect(outcome.error?.code).toBe('END_UNPROVEN');
    expect(outcome.error?.message).toContain('had come before in this run');
  });

  test('needs a count where counts said more than came', async () => {
    const { table, hints } = hintedTable();
    const lost = new Set(table.rows.slice(5_000, 5_100));
    const outcome = await readFake(
      [guidTable(10, 'A'), table],
      ({ table: { schema }, filter, matching, top, count }) => {
        const rows = limited(
          matching.filter((row) => !lost.has(row)),
          top,
        );
        const counts = schema.name !== 'T' || filter !== '';
        return { rows, ...(count && counts ? { count: matching.length } : {}) };
      },
      { name: 'T', hints },
    );
    expect(outcome.planned?.plan.strategy).toBe('ranges');
    expect(outcome.error?.code).toBe('END_UNPROVEN');
  });
});

describe('what was told once', () => {
  test('a count of the whole table is held against what ranges brought, whatever their own counts and keys say', async () => {
    // The right ends every answer without `$top` at 2,000 rows, and its count too.
    const table = guidTable(60_000);
    const outcome = await readFake([table], ({ top, count, matching }) => {
      const first = new Set(table.rows.slice(0, 2000));
      const rows = top === null ? matching.filter((row) => first.has(row)) : matching;
      return { rows: limited(rows, top), ...(count ? { count: rows.length } : {}) };
    });
    expectTruth(outcome, table.rows);
    expect(outcome.error?.message).toMatch(/2,000 rows came, but the instance counts 60,000/);
  });

  test('rows that came before a question was refused are not forgotten by the next plan', async () => {
    const rows = rowsOf(5000, (i) => i);
    const table = tableOf(
      'T',
      ['Id'],
      [
        ['Id', 'int32'],
        ['Name', 'text'],
      ],
      rows,
    );
    const outcome = await readFake(
      [table, guidTable(10, 'G')],
      ({ table: { schema }, filter, top, count, matching }) => {
        if (schema.name === 'G') return { rows: limited(matching, top), ...(count ? { count: matching.length } : {}) };
        if (/ le /.test(filter)) return { status: 400 };
        return { rows: limited(matching, 2000, top), ...(count ? { count: Math.min(2000, matching.length) } : {}) };
      },
      { name: 'T' },
    );
    expectTruth(outcome, rows);
    expect(outcome.error ?? outcome.read?.verdict.consistency).not.toBe('counted');
  });

  test('text keys of several columns that are sorted in one way and filtered in another leave out no row', async () => {
    // Numbers of documents as text, in order of creation; two lines each.
    const rows = Array.from({ length: 340 }, (_, i) => ({
      Id: String(12 + Math.floor(i / 2)),
      Line: i % 2,
      Name: `n${i}`,
    }));
    const table = tableOf(
      'T',
      ['Id', 'Line'],
      [
        ['Id', 'text'],
        ['Line', 'int32'],
        ['Name', 'text'],
      ],
      rows,
    );
    for (const cut of [20, 61, 120, 121, 200, 300]) {
      const outcome = await readFake([table], ({ matching, top }) => ({ rows: limited(matching, cut, top) }));
      if (outcome.error !== null || outcome.read?.verdict.consistency === 'best-effort') continue;
      const came = new Set(outcome.rows.map(({ Id, Line }) => `${String(Id)} ${String(Line)}`));
      expect(rows.filter(({ Id, Line }) => !came.has(`${Id} ${Line}`))).toEqual([]);
    }
  });

  test('text keys of several columns in one order are read whole, without counts', async () => {
    const rows = Array.from({ length: 340 }, (_, i) => ({
      Id: `k${String(Math.floor(i / 3)).padStart(4, '0')}`,
      Line: i % 3,
      Name: `n${i}`,
    }));
    const table = tableOf(
      'T',
      ['Id', 'Line'],
      [
        ['Id', 'text'],
        ['Line', 'int32'],
        ['Name', 'text'],
      ],
      rows,
    );
    for (const cut of [20, 61, 120, 121, 200, 300]) {
      const outcome = await readFake([table], ({ matching, top }) => ({ rows: limited(matching, cut, top) }));
      expect(outcome.error).toBeNull();
      expect(outcome.read?.verdict.consistency).toBe('exact');
      expect(outcome.rows).toHaveLength(340);
    }
  });

  test('a next link that is refused once makes the read begin again, and no row comes twice', async () => {
    const rows = rowsOf(250, (i) => `v${i}`);
    const view = tableOf(
      'V',
      [],
      [
        ['Id', 'text'],
        ['Name', 'text'],
      ],
      rows,
    );
    let refused = 0;
    const outcome = await readFake([view], ({ matching, top, count, url }) => {
      const at = Number(url.searchParams.get('$skiptoken') ?? 0);
      if (at === 100 && refused++ === 0) return { status: 400 };
      const page = limited(matching.slice(at), 100, top);
      const link = at + page.length < matching.length && top === null ? `V?$skiptoken=${at + page.length}` : undefined;
      return { rows: page, link, ...(count ? { count: matching.length } : {}) };
    });
    expect(refused).toBeGreaterThan(0);
    expect(outcome.error).toBeNull();
    expect(outcome.rows).toHaveLength(250);
    expectTruth(outcome, rows);
  });

  test.each([true, false])(
    'pages of rows that share a value may shift while they are followed by links (counts: %s)',
    async (counts) => {
      const all = Array.from({ length: 60 }, (_, i) => ({
        Id: i < 10 ? 1 : i < 50 ? 2 : 3,
        Line: i,
        Name: `n${i}`,
      }));
      const table = tableOf(
        'T',
        ['Id', 'Line'],
        [
          ['Id', 'int32'],
          ['Line', 'int32'],
          ['Name', 'text'],
        ],
        all,
      );
      const [gone, stays] = [all[12]!, all.filter((row) => row.Line !== 12)];
      let isDeleted = false;
      const outcome = await readFake([table], ({ matching, top, count, url, select }) => {
        const at = Number(url.searchParams.get('$skiptoken') ?? 0);
        // Once some pages of the group were followed, one of its rows that came already is deleted.
        if (at === 24 && select.includes('Name')) isDeleted = true;
        const there = isDeleted ? matching.filter((row) => row !== gone) : matching;
        const page = limited(there.slice(at), 12, top);
        const query = new URL(url);
        query.searchParams.set('$skiptoken', String(at + page.length));
        const link = at + page.length < there.length && top === null ? `T${query.search}` : undefined;
        return { rows: page, link, ...(count && counts ? { count: there.length } : {}) };
      });
      if (outcome.error !== null || outcome.read?.verdict.consistency === 'best-effort') return;
      const came = new Set(outcome.rows.map((row) => String(row['Line'])));
      expect(stays.filter(({ Line }) => !came.has(String(Line)))).toEqual([]);
    },
  );

  test('a count that falls by masses is of another state of the table, and proves nothing', async () => {
    // Two replicas, one of which still lacks a third of the rows: first the full one answers, then the other.
    const table = guidTable(3000);
    const few = new Set(table.rows.filter((_, i) => i % 3 !== 0));
    const outcome = await readFake([table], ({ matching, top, count, n }) => {
      const rows = n < 4 ? matching : matching.filter((row) => few.has(row));
      return { rows: limited(rows, 500, top), ...(count ? { count: rows.length } : {}) };
    });
    expectTruth(outcome, table.rows);
  });

  test('an end that the read set itself is no boundary: a table that grows hides no rows that its first answer left out', async () => {
    // Unfiltered reads go through the heap and are cut at 200 rows; filtered ones go by the index. A row more with each request, no counts.
    const rows = rowsOf(250, (i) => i);
    const table = tableOf(
      'T',
      ['Id'],
      [
        ['Id', 'int32'],
        ['Name', 'text'],
      ],
      rows,
    );
    const outcome = await readFake([table], ({ matching, filter, top, n }) => {
      const added = rowsOf(n, (i) => 250 + i);
      if (filter === '') return { rows: limited([...rows.filter((_, i) => i % 5 !== 0), ...rows], 200, top) };
      const [, ge = '-1'] = /Id ge (-?\d+)/.exec(filter) ?? [];
      const [, le = '1e9'] = /Id le (-?\d+)/.exec(filter) ?? [];
      const inside = added.filter(({ Id }) => Number(Id) >= Number(ge) && Number(Id) <= Number(le));
      return { rows: limited([...matching, ...inside], top) };
    });
    if (outcome.error !== null || outcome.read?.verdict.consistency === 'best-effort') return;
    const came = new Set(outcome.rows.map((row) => String(row['Id'])));
    expect(rows.filter(({ Id }) => !came.has(String(Id)))).toEqual([]);
  });
});
