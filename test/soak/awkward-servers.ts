/** Awkward servers as data: what each does, and what of a snapshot of it is right, by the kind of table. */
import type { DemoOptions, Fault, FaultAction, Personality } from '../../src/demo/instance.ts';

/** Tables of `test/support/key-tables.jsonl` with the rows they have in the soak, by what can be proven of them. */
export const TABLE_SETS = {
  /** Single GUID keys: one table beyond 2,000 rows, small ones, an empty one. */
  guid: { Key_Guid: 2300, Key_Guid_Default: 260, All_Nullable: 200, Key_One_Row: 1, Key_Two_Rows: 2, Key_No_Row: 0 },
  /** Single keys of other types. */
  single: { Key_Int32: 330, Key_Int64: 300, Key_Date: 280, Key_Instant: 160, Key_Decimal: 230, Key_Text: 350 },
  /** Composite keys of whose leading column few rows share a value. */
  composite: { Key_Guid_Int: 340, Key_Text_Text: 230, Key_Text_Int: 180 },
  /** A composite key of whose leading column half of the rows share a value. */
  coarse: { Key_Bit_Guid: 260 },
  /** Tables without a key, and views. */
  keyless: { No_Key: 180, No_Key_View: 150 },
  /** Rows with values of thousands of bytes. */
  large: { Large_Values: 110 },
} as const;

export type TableSet = keyof typeof TABLE_SETS;

/** What may come of a snapshot. */
export type Allowed =
  /** Every row, and no failure. */
  | 'exact'
  /** Every row, or a failure that says why. */
  | { readonly mayFail: string }
  /** A failure: nothing else can be right. */
  | { readonly impossible: string }
  /** Rows may be missing or too many where the manifest does not call the table exact and a warning says why; or a failure. */
  | { readonly mayBeWrong: string };

export interface AwkwardServer {
  readonly name: string;
  /** Rows of `tableRows` take the place of those of the set. */
  readonly demo: Pick<DemoOptions, 'personality' | 'limits' | 'rights' | 'faults' | 'values' | 'tableRows'>;
  /** What is right for each set; sets that are not named are not tried. */
  readonly allowed: Partial<Readonly<Record<TableSet, Allowed>>>;
  /** Most requests that may be refused with 429. */
  readonly maxRefused?: number;
  /** Longest that a case may take, in seconds of the wall's clock. Default: `WITHIN_SECONDS`. */
  readonly withinSeconds?: number;
  /** May not be paired: what it does can be told by counts alone, or it is a fault of a single table. */
  readonly alone?: true;
}

const KEYED = { guid: 'exact', single: 'exact', composite: 'exact', coarse: 'exact' } as const;
const ALL = { ...KEYED, keyless: 'exact' } as const;
const NO_COUNTS = { count: false, tableInfo: 'forbidden' } as const;

const UNTOLD = { mayBeWrong: 'without key and count nothing tells of rows that were cut off' };
const COARSE = { mayFail: 'more rows share a leading key value than an answer holds' };
const COUNT_SAYS_MORE = { mayFail: 'the count says more than what comes, and there is no key to go on by' };
const LAST_ROW = { impossible: 'the count says more than what any read gives' };
const LYING_COUNT = { mayBeWrong: 'the count tells of the rows of one answer, and there is no key' };
const IGNORED = { mayFail: 'a filter that is not applied proves nothing' };
const HIDDEN = { mayBeWrong: 'rows that a default filter hides may be beyond every question' };
const ENDLESS = { mayFail: 'links that never end may end the run' };
const SOME_NULLS = { mayFail: 'the pipeline may have to say that columns that do not come are null' };
const RANDOM_PAGES = { mayFail: 'pages of rows without order may miss some and repeat others' };

function cuts(): AwkwardServer[] {
  const each: readonly (readonly [string, NonNullable<Personality['cut']>])[] = [
    ['30 rows', { rows: 30 }],
    ['50 rows', { rows: 50 }],
    ['6,000 bytes', { bytes: 6000 }],
    ['20 to 40 rows', { between: [20, 40] }],
  ];
  const silent = each.flatMap(([what, cut]): AwkwardServer[] => [
    {
      name: `every answer is cut at ${what}, counts are true`,
      demo: { personality: { cut } },
      allowed: { ...KEYED, coarse: COARSE, keyless: COUNT_SAYS_MORE },
    },
    {
      name: `every answer is cut at ${what}, no counts`,
      demo: { personality: { cut, ...NO_COUNTS, nextLink: 'none' } },
      allowed: { ...KEYED, coarse: COARSE, keyless: UNTOLD },
    },
  ]);
  const few = [1, 2].flatMap((rows): AwkwardServer[] => {
    const progress = { mayFail: `answers of ${rows} ${rows === 1 ? 'row lead' : 'rows lead hardly'} to the next one` };
    return [{}, { ...NO_COUNTS, nextLink: 'none' as const }].map((how) => ({
      name: `every answer is cut at ${rows}, ${'count' in how ? 'no counts' : 'counts are true'}`,
      demo: {
        personality: { cut: { rows }, ...how },
        tableRows: { Key_Guid: 60, Key_Guid_Default: 20, All_Nullable: 20 },
      },
      allowed: { guid: progress },
      alone: true as const,
    }));
  });
  const large = [{}, { ...NO_COUNTS, nextLink: 'none' as const }].map(
    (how): AwkwardServer => ({
      name: `every answer is cut at 40,000 bytes, and a row is larger, ${'count' in how ? 'no counts' : 'counts are true'}`,
      demo: {
        personality: { cut: { bytes: 40_000 }, ...how },
        values: [30, 31, 77].map((row) => {
          return { table: 'Large_Values', row, column: 'Text', value: { repeat: 'Я', times: 30_000 } };
        }),
      },
      allowed: { large: { mayFail: 'a row that is larger than an answer is always alone in it' } },
      alone: true,
    }),
  );
  return [
    ...silent,
    ...few,
    ...large,
    {
      name: 'as many rows exist as rights allow to read',
      demo: {
        rights: { maxRows: 2000 },
        tableRows: { Key_Guid: 2000, Key_Text: 2000, Key_Guid_Int: 2000, No_Key: 2000 },
      },
      allowed: ALL,
      alone: true,
    },
    {
      name: 'every answer is cut to half of its rows, counts are true',
      demo: { personality: { cut: { share: 0.5 } } },
      allowed: { guid: COUNT_SAYS_MORE, single: COUNT_SAYS_MORE, composite: COUNT_SAYS_MORE, keyless: COUNT_SAYS_MORE },
      alone: true,
    },
    ...[90, 149].map(
      (lastRow): AwkwardServer => ({
        name: `no answer goes beyond row ${lastRow} of a table, counts are true`,
        demo: { personality: { cut: { lastRow } } },
        allowed: { guid: LAST_ROW, single: LAST_ROW, composite: LAST_ROW, coarse: LAST_ROW, keyless: LAST_ROW },
        alone: true,
      }),
    ),
  ];
}

function counts(): AwkwardServer[] {
  const told = (name: string, personality: Partial<Personality>, keyless: Allowed = 'exact'): AwkwardServer => ({
    name,
    demo: { personality },
    allowed: { ...KEYED, keyless },
  });
  return [
    ...([400, 500, 501] as const).map((requestErrorStatus) =>
      told(`counts are refused with ${requestErrorStatus}`, { ...NO_COUNTS, requestErrorStatus }),
    ),
    told('counts are ignored', { counts: 'ignored', tableInfo: 'forbidden' }),
    told('counts are those of the answer', { counts: 'page' }),
    told(
      'counts are those of the answer, which is cut',
      { counts: 'page', cut: { rows: 30 }, nextLink: 'none' },
      LYING_COUNT,
    ),
    told('counts come without a filter alone', { counts: 'unfiltered' }),
    told('counts come as text', { countForm: 'string' }),
    told('control information is spelled as in OData 4.01', { controlPrefix: '@', extraProperties: ['etag'] }),
    told('control information of OData 4.01, pages by $skip', {
      ...{ controlPrefix: '@', serverPage: { rows: 70, link: 'skip' } },
    }),
  ].map((server) =>
    'cut' in server.demo.personality! || 'serverPage' in server.demo.personality!
      ? { ...server, allowed: { ...server.allowed, coarse: COARSE } }
      : server,
  );
}

/** Rows among the first of these tables are written when their second, third and fourth pages are asked for. */
function shifting(tables: readonly string[], write: 'deletes' | 'inserts' | 'updates'): Fault[] {
  return tables.map((table) => ({
    on: { path: `/odata/${table}\\?.*(%20ge%20|skip)`, nth: 1, times: 3 },
    do: { write: { [write]: 10, where: 'first' as const, tables: [table] } },
  }));
}

const SHIFTED = ['Key_Guid', 'Key_Text', 'Key_Int32', 'Key_Guid_Int', 'Key_Text_Text', 'Key_Bit_Guid'];

function pages(): AwkwardServer[] {
  const paged = (['skip', 'skiptoken'] as const).flatMap((link): AwkwardServer[] => {
    const serverPage = { rows: 60, link };
    const coarse = link === 'skip' ? COARSE : 'exact';
    return [
      { name: `pages by $${link}`, demo: { personality: { serverPage } }, allowed: { ...ALL, coarse } },
      {
        name: `pages by $${link}, no counts`,
        demo: { personality: { serverPage, ...NO_COUNTS } },
        allowed: { ...ALL, coarse, keyless: { mayFail: 'links by position prove nothing' } },
      },
      ...(['deletes', 'inserts', 'updates'] as const).map(
        (write): AwkwardServer => ({
          name: `pages by $${link}, ${write} within the first page meanwhile`,
          demo: { personality: { serverPage }, faults: shifting(SHIFTED, write) },
          allowed: { ...KEYED, composite: COARSE, coarse: COARSE },
        }),
      ),
    ];
  });
  return [
    ...paged,
    ...(['null', 'empty'] as const).map(
      (lastLink): AwkwardServer => ({
        name: `the last link is ${lastLink}`,
        demo: { personality: { lastLink } },
        allowed: ALL,
      }),
    ),
    ...(['endless-empty', 'endless-same'] as const).flatMap((lastLink): AwkwardServer[] => [
      {
        name: `links never end: ${lastLink}`,
        demo: { personality: { lastLink } },
        allowed: { guid: ENDLESS, single: ENDLESS, composite: ENDLESS, coarse: ENDLESS, keyless: ENDLESS },
      },
      {
        name: `links never end: ${lastLink}, no counts`,
        demo: { personality: { lastLink, ...NO_COUNTS } },
        allowed: { guid: ENDLESS, single: ENDLESS, composite: ENDLESS, coarse: ENDLESS, keyless: ENDLESS },
      },
    ]),
  ];
}

function orders(): AwkwardServer[] {
  const random = { rowOrder: 'random' } as const;
  const cut = (rows: number) => ({ ...random, cut: { rows }, nextLink: 'none' as const });
  const unordered = { mayFail: 'rows without order cannot be read on from the last' };
  const each = (allowed: Allowed, keyless: Allowed) => ({
    ...{ guid: allowed, single: allowed, composite: allowed, coarse: allowed, keyless },
  });
  return [
    { name: 'rows in random order', demo: { personality: { ...random, nextLink: 'none' } }, allowed: ALL },
    {
      name: 'rows in random order, pages by $skip',
      demo: { personality: { ...random, serverPage: { rows: 60, link: 'skip' } } },
      allowed: each(RANDOM_PAGES, { mayBeWrong: 'as many rows as counted, and some of them twice, without a key' }),
    },
    {
      name: 'rows in random order, pages by $skiptoken',
      demo: { personality: { ...random, serverPage: { rows: 60, link: 'skiptoken' } } },
      allowed: each(RANDOM_PAGES, { mayBeWrong: 'as many rows as counted, and some of them twice, without a key' }),
    },
    ...[50, 155].flatMap((rows): AwkwardServer[] => [
      {
        name: `rows as they lie in a heap, cut at ${rows}, counts are true`,
        demo: { personality: { ...cut(rows), rowOrder: 'heap' } },
        allowed: each(unordered, COUNT_SAYS_MORE),
      },
      {
        name: `rows as they lie in a heap, cut at ${rows}, no counts`,
        demo: { personality: { ...cut(rows), rowOrder: 'heap', ...NO_COUNTS } },
        allowed: each(unordered, UNTOLD),
      },
      {
        name: `rows in random order, cut at ${rows}, counts are true`,
        demo: { personality: cut(rows) },
        allowed: each(unordered, COUNT_SAYS_MORE),
      },
      {
        name: `rows in random order, cut at ${rows}, no counts`,
        demo: { personality: { ...cut(rows), ...NO_COUNTS } },
        allowed: each(unordered, UNTOLD),
      },
    ]),
  ];
}

function keyFilters(): AwkwardServer[] {
  const refused = { mayFail: 'without key filters and counts a keyed table cannot be proven' };
  const kinds = ['guid', 'text', 'number', 'date', 'composite'] as const;
  return [
    ...([400, 500] as const).flatMap((requestErrorStatus): AwkwardServer[] => [
      {
        name: `key filters are refused with ${requestErrorStatus} on every kind of key, counts are true`,
        demo: { personality: { keyFilterRefused: kinds, requestErrorStatus } },
        allowed: ALL,
      },
      {
        name: `key filters are refused with ${requestErrorStatus} on every kind of key, no counts`,
        demo: { personality: { keyFilterRefused: kinds, requestErrorStatus, ...NO_COUNTS } },
        allowed: { guid: refused, single: refused, composite: refused, coarse: refused },
      },
      {
        name: `key filters are refused with ${requestErrorStatus} on texts and composite keys, answers are cut`,
        demo: {
          personality: { keyFilterRefused: ['text', 'composite'], requestErrorStatus, ...NO_COUNTS, cut: { rows: 40 } },
        },
        allowed: { guid: 'exact', single: refused, composite: refused, coarse: refused },
      },
    ]),
    {
      name: 'key filters are ignored, counts are true',
      demo: { personality: { keyFilterEffect: 'ignored' } },
      allowed: { guid: IGNORED, single: IGNORED, composite: IGNORED, coarse: IGNORED },
    },
    {
      name: 'key filters are ignored, no counts',
      demo: { personality: { keyFilterEffect: 'ignored', ...NO_COUNTS } },
      allowed: { guid: IGNORED, single: IGNORED, composite: IGNORED, coarse: IGNORED },
    },
    {
      name: 'key filters are ignored, answers are cut',
      demo: { personality: { keyFilterEffect: 'ignored', cut: { rows: 40 }, ...NO_COUNTS } },
      allowed: { guid: IGNORED, single: IGNORED, composite: IGNORED, coarse: IGNORED },
    },
    {
      name: 'the last row goes away when the key is first filtered',
      demo: {
        faults: SHIFTED.map((table) => ({
          on: { path: `/odata/${table}\\?.*%20ge%20`, nth: 1 },
          do: { write: { deletes: 1, where: 'last' as const, tables: [table] } },
        })),
      },
      allowed: KEYED,
    },
    {
      name: 'the first key filter is answered without a row',
      demo: { faults: [{ on: { path: '%20ge%20', nth: 1 }, do: 'empty' }] },
      allowed: KEYED,
    },
    {
      name: 'the first key filter is answered without a row, no counts',
      demo: { personality: NO_COUNTS, faults: [{ on: { path: '%20ge%20', nth: 1 }, do: 'empty' }] },
      allowed: KEYED,
    },
  ];
}

function defaultFilters(): AwkwardServer[] {
  return ([true, 'unfiltered'] as const).flatMap((inForce) =>
    (['refused', 'matches', 'nothing'] as const).flatMap((groupNull) =>
      (['taken', 400, 500] as const).flatMap((questions): AwkwardServer[] =>
        questions !== 'taken' && groupNull !== 'refused'
          ? []
          : [true, false].map((count) => ({
              name: `default filters (${inForce}), null in a group: ${groupNull}, questions: ${questions}, ${count ? 'counts' : 'no counts'}`,
              demo: {
                personality: {
                  ...{ defaultFilters: inForce, groupNull, defaultFilterQuestions: questions },
                  ...(count ? {} : NO_COUNTS),
                },
              },
              allowed: { guid: HIDDEN },
            })),
      ),
    ),
  );
}

/** The demo instance writes hundreds of thousands of rows meanwhile. */
const GROWING_SECONDS = 180;

function growing(): AwkwardServer[] {
  return [30, 150].flatMap((rows): AwkwardServer[] => [
    {
      name: `every table grows at its end by ${rows} rows with each request`,
      demo: { personality: { grows: { '*': rows, Key_No_Row: 0, Key_One_Row: 1 } } },
      allowed: { ...KEYED, coarse: COARSE },
      withinSeconds: GROWING_SECONDS,
    },
    {
      name: `every table grows at its end by ${rows} rows with each request, no counts, no links`,
      demo: { personality: { grows: { '*': rows }, ...NO_COUNTS, nextLink: 'none' } },
      allowed: { ...KEYED, coarse: COARSE },
      withinSeconds: GROWING_SECONDS,
    },
  ]);
}

function bodies(): AwkwardServer[] {
  const written = (name: string, personality: Partial<Personality>): AwkwardServer => ({
    name,
    demo: { personality },
    allowed: ALL,
  });
  const everyTime = { mayFail: 'the fault never passes' };
  const faulty = (action: FaultAction, errorShape: Personality['errorShape'], nulls: Personality['nulls']) =>
    [1, 2, undefined].map((nth): AwkwardServer => {
      const allowed = nth === undefined ? everyTime : 'exact';
      return {
        name: `${String(action)}, ${errorShape}, nulls ${nulls}, ${nth === undefined ? 'every time' : `at read ${nth} of each table`}`,
        demo: {
          personality: { errorShape, nulls, ...NO_COUNTS },
          faults: FAULTY.map((table) => ({
            on: { path: `/odata/${table}\\?`, ...(nth === undefined ? {} : { nth }) },
            do: action,
          })),
        },
        allowed: { guid: allowed, single: allowed, composite: allowed, keyless: everyTime },
        alone: true,
      };
    });
  return [
    written('a byte order mark before every body', { bom: true }),
    written('white space of every kind around every token', { json: 'spaced' }),
    written('escapes in every string', { escapes: 'everywhere' }),
    {
      name: 'nulls of some columns are left out',
      demo: { personality: { nulls: 'mixed' } },
      allowed: { guid: SOME_NULLS, single: SOME_NULLS, composite: SOME_NULLS, keyless: SOME_NULLS },
    },
    ...faulty('error-in-stream', 'flat', 'omitted'),
    ...faulty('flat-error-in-stream', 'flat', 'omitted'),
    ...faulty('error-beside-rows', 'flat', 'written'),
    ...faulty('error-beside-rows', 'nested', 'omitted'),
  ];
}

const FAULTY = ['Key_Guid', 'All_Nullable', 'Key_Int32', 'Key_Text', 'Key_Guid_Int', 'No_Key', 'No_Key_View'];

function site(): AwkwardServer[] {
  const refusals = (seconds: number, as: 'seconds' | 'date', clockAheadMs = 0): AwkwardServer => ({
    name: `429 for a minute, Retry-After ${seconds} as ${as}, clock ${clockAheadMs / 1000} s ahead`,
    demo: {
      limits: { retryAfterAs: as, clockAheadMs },
      faults: [{ on: { path: '/odata/Key_', forMs: 60_000 }, do: { status: 429, retryAfterSeconds: seconds } }],
    },
    allowed: { guid: 'exact' },
    maxRefused: 200,
  });
  return [
    refusals(0, 'seconds'),
    refusals(0, 'date'),
    refusals(-60, 'date'),
    refusals(5, 'date', -3_600_000),
    refusals(5, 'date', 3_600_000),
    {
      name: '$metadata differs with each request',
      demo: { personality: { metadataStamp: true } },
      allowed: { guid: 'exact', keyless: 'exact' },
    },
    {
      name: 'two Table API sites, one of them dead',
      demo: { personality: { tableApiSite: 'one-of-two' } },
      allowed: { guid: 'exact' },
    },
    {
      name: 'tables are forbidden for a while',
      demo: { faults: [{ on: { path: '/odata/Key_', nth: 3, times: 4 }, do: { status: 403 } }] },
      allowed: { guid: { mayFail: 'what may not be read is not asked for again' } },
    },
  ];
}

/** One value of one row does not fit its column. */
function values(): AwkwardServer[] {
  const misfit = (column: string, json: string): AwkwardServer => ({
    name: `a value of ${column} is ${json}`,
    demo: { values: [{ table: 'All_Nullable', row: 120, column, value: { json } }] },
    allowed: { guid: { impossible: 'the value does not fit what $metadata declares' } },
    alone: true,
  });
  return [
    misfit('A_Float', '1e400'),
    misfit('A_Float', '"1e400"'),
    misfit('A_Float', '1e-400'),
    misfit('A_Byte', '256'),
    misfit('An_Int', '2147483648'),
    misfit('An_Int', '1.5'),
    misfit('A_Long', '9223372036854775808'),
    misfit('A_Decimal', '0.00000000001'),
    misfit('A_Decimal', `1${'0'.repeat(28)}`),
    misfit('An_Instant', '"2024-02-29T10:11:12.1234567Z"'),
    misfit('An_Instant', '"2023-02-29T10:11:12Z"'),
    misfit('A_Date', '"2023-02-29"'),
    misfit('A_Guid', '"00000000-0000-0000-0000-00000000000g"'),
    misfit('A_Text', '"\\ud800"'),
    misfit('A_Text', '12'),
    misfit('A_Binary', '"AA=A"'),
    misfit('Row_Version', 'null'),
    misfit('Id', 'null'),
  ];
}

/** The awkward servers by what is awkward of them. */
export const AWKWARD_GROUPS: readonly (readonly AwkwardServer[])[] = [
  ...[cuts(), counts(), pages(), orders(), keyFilters(), defaultFilters(), growing(), bodies(), values(), site()],
];
