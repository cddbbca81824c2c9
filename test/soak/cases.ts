/** What the soak tries: every personality value, right, fault and limit, alone and in pairs, with the writer on, and changing schemas. */
import type { Fault, FaultAction, Personality, Rights } from '../../src/demo/instance.ts';
import { draws } from './draw.ts';
import type { SoakCase } from './run-case.ts';

/** Ten tables of every kind: GUID keys (one beyond 2,000 rows, one with a default filter), other keys, composite, views, empty. */
const TABLES = {
  Gen_Documents: 150,
  Gen_Properties: 60,
  Cm_Company_Locations: 2300,
  Gen_Document_Links: 300,
  Gen_Calendar: 250,
  Gen_Link_Types: 10,
  Inv_Current_Balances: 150,
  Sys_Filter: 40,
  Sec_Access_Keys: 0,
  Gen_Work_Schedule_Working_Time: 30,
  Gen_Enterprise_Companies: 1,
} as const;

/** The table that is larger than every "Show more than 2,000 rows". */
const LARGE = 'Cm_Company_Locations';

const BASE = { tables: [...Object.keys(TABLES), 'Dmv_Table_Info'], tableRows: TABLES } as const;

const like = (parts: Partial<SoakCase> & Pick<SoakCase, 'name' | 'group'>, demo: SoakCase['demo'] = {}): SoakCase => ({
  ...parts,
  demo: { ...BASE, ...demo },
});

const PERSONALITIES: readonly Partial<Personality>[] = [
  { nextLink: 'absolute' },
  { nextLink: 'none' },
  { nextLinkPosition: 'before' },
  { guidOrder: 'text' },
  { rowOrder: 'any', nextLink: 'none' },
  { keyFilter: false },
  { keyFilter: false, nextLink: 'none' },
  { keyFilter: false, count: false },
  { count: false },
  { skip: true },
  { orderby: true },
  { filterReferences: 'owners' },
  { defaultFilters: true },
  { defaultFilters: true, count: false, tableInfo: 'forbidden' },
  { dateLiterals: 'cut' },
  { tableInfo: 'forbidden' },
  { tableInfo: 'empty' },
  { tableInfo: 'stale' },
  { properties: 'shuffled' },
  { nulls: 'omitted' },
  { nulls: 'omitted', properties: 'shuffled' },
  { extraProperties: ['etag'] },
  { extraProperties: ['unknown'] },
  { json: 'pretty' },
  { escapes: 'all' },
  { decimals: 'trimmed' },
  { decimals: 'exponent' },
  { decimals: 'strings' },
  { ieee754: 'honoured' },
  { dates: 'DateTimeOffset' },
  { times: 'Duration' },
  { instants: 'offset' },
  { binaries: 'base64url' },
  { guidCase: 'upper' },
  { multiLanguage: 'accept-language' },
  { compression: [] },
  { compression: ['br'] },
  { chunkBytes: 7 },
  { discovery: 'sys' },
  { discovery: 'both' },
  { discovery: 'none' },
  { tableApiSite: 'private' },
  { tableApiSite: 'not-working' },
  { tableApiSite: 'two' },
  { tableApiSite: 'foreign' },
  { tableApiSite: 'one-of-two' },
  { errorShape: 'nested' },
  { requestErrorStatus: 400 },
  { passwordsMarked: false },
  { hostileNames: true },
  { maxUrlBytes: 2000 },
  { metadataStamp: true },
  { authorityAnswers: 'loose' },
  { rowOrder: 'any', nextLink: 'none', count: false, tableInfo: 'forbidden' },
  { guidOrder: 'text', count: false, tableInfo: 'forbidden' },
  { guidOrder: 'text', nulls: 'omitted', nextLink: 'none' },
];

/** Personalities for which no answer of the instance can make an exact snapshot. */
const IMPOSSIBLE: readonly (readonly [Partial<Personality>, string])[] = [
  [{ discovery: 'none' }, 'nothing says where the Table API is, and credentials go to no guessed address'],
  [{ tableApiSite: 'not-working' }, 'the instance itself says that the site does not work'],
  [{ tableApiSite: 'two' }, 'two Table API sites are listed; the pipeline must name one'],
  [{ tableApiSite: 'foreign' }, 'the listed site is of another origin, which gets no credentials unasked'],
  [
    { hostileNames: true },
    'a table whose name no file, URL and SQL identifier can hold alike is refused; the operator excludes it',
  ],
];

function impossibleFor(personality: Partial<Personality>): string | undefined {
  if (personality.keyFilter === false && personality.count === false)
    return 'keys cannot be asked for, nothing is counted, and the pipeline does not accept that';
  const entries = Object.entries(personality);
  return IMPOSSIBLE.find(([one]) =>
    Object.entries(one).every(([name, value]) => entries.some(([n, v]) => n === name && v === value)),
  )?.[1];
}

/** Settings in words. */
export function named(values: object): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');
}

/** Personalities of which an exact snapshot can be made. */
export const USABLE_PERSONALITIES = PERSONALITIES.filter((one) => impossibleFor(one) === undefined);

function personalityCases(): SoakCase[] {
  return PERSONALITIES.map((personality) => {
    const impossible = impossibleFor(personality);
    return like(
      { name: named(personality), group: 'personality', ...(impossible === undefined ? {} : { impossible }) },
      { personality },
    );
  });
}

const GAP = 'without key and $count, rows that rights hide cannot be told from rows that were cut off';
const CAPPED_KEYLESS = 'tables without a usable key cannot be read past a limit on rows';

const RIGHTS: readonly (readonly [Partial<Rights>, Partial<Personality>, string | null])[] = [
  [{ maxRows: 2000 }, {}, null],
  [{ maxRows: 2000 }, { nextLink: 'none' }, null],
  [{ maxRows: 2000 }, { count: false, tableInfo: 'forbidden' }, null],
  [{ maxRows: 2000 }, { guidOrder: 'text' }, null],
  [{ maxRows: 2000 }, { rowOrder: 'any', nextLink: 'none' }, 'rows without order cannot be read on from the last'],
  [
    { maxRows: 2000 },
    { rowOrder: 'any', nextLink: 'none', count: false, tableInfo: 'forbidden' },
    'rows without order cannot be read on from the last',
  ],
  [{ maxRows: 2000 }, { keyFilter: false }, CAPPED_KEYLESS],
  [{ maxRows: 2000 }, { keyFilter: false, count: false, tableInfo: 'forbidden' }, CAPPED_KEYLESS],
  [{ maxRows: 200 }, {}, CAPPED_KEYLESS],
  [
    { hiddenColumns: { [LARGE]: ['Working_Time'], Gen_Documents: ['Notes'] } },
    {},
    'columns that do not come out are never made up',
  ],
  [{ hiddenColumns: { Gen_Documents: ['Notes'] }, hiddenColumnsAs: 'null' }, {}, null],
  [{ hiddenRows: { '*': 0.2 } }, {}, null],
  [{ hiddenRows: { '*': 0.2 } }, { nextLink: 'none', guidOrder: 'text' }, null],
  [{ hiddenRows: { [LARGE]: 1 } }, {}, null],
  [{ hiddenRows: { '*': 0.5 } }, { rowOrder: 'any', nextLink: 'none' }, null],
  [{ hiddenRows: { '*': 0.5 }, maxRows: 2000 }, {}, null],
  [{ forbiddenTables: ['Gen_Calendar'] }, {}, 'a table that may not be read fails, and with it the snapshot'],
];

function rightCases(): SoakCase[] {
  return RIGHTS.map(([rights, personality, impossible]) =>
    like(
      {
        name: [named(rights), named(personality)].filter((text) => text !== '').join(' | '),
        group: 'right',
        ...(impossible === null ? {} : { impossible }),
      },
      { rights, personality },
    ),
  );
}

const ACTIONS: readonly FaultAction[] = [
  'reset',
  'hang',
  'hang-in-body',
  'cut',
  'cut-clean',
  'error-in-stream',
  'error-in-stream-open',
  'short',
  'duplicate-row',
  'link-foreign',
  'link-loop',
  'revoke-token',
  'redirect-foreign',
  'html',
  { status: 429 },
  { status: 429, retryAfterSeconds: 2 },
  { status: 500 },
  { status: 503 },
  { status: 502, body: '<html>bad gateway</html>' },
  { status: 204 },
  { status: 200, body: '{"value":' },
];

/** Where a fault strikes: which requests, and which one of them. */
const PLACES: readonly (readonly [string, Fault['on']])[] = [
  ['first page', { path: `/odata/${LARGE}\\?`, nth: 1 }],
  ['later read', { path: `/odata/${LARGE}\\?`, nth: 2 }],
  ['closing read', { path: `/odata/${LARGE}\\?.*%20ge%20(?!.*%20le%20)`, nth: 1 }],
  ['page of a chain', { path: '/odata/Gen_Document_Links\\?.*skiptoken', nth: 1 }],
  ['last page of a chain', { path: '/odata/Gen_Document_Links\\?.*skiptoken', nth: 2 }],
  ['view', { path: '/odata/Inv_Current_Balances\\?', nth: 1 }],
  ['table without key', { path: '/odata/Sys_Filter\\?', nth: 1 }],
  ['$metadata', { path: '/odata/\\$metadata', nth: 1 }],
  ['$metadata again', { path: '/odata/\\$metadata', nth: 2 }],
  ['row counts', { path: '/odata/Dmv_Table_Info', nth: 1 }],
  ['token', { path: '/id/connect/token', nth: 1 }],
  ['discovery', { path: '/auto-discovery', nth: 1 }],
];

const TABLE_PLACES = PLACES.slice(0, 7);

function faultText(action: FaultAction): string {
  if (typeof action === 'string') return action;
  if ('write' in action) return `rows written: ${JSON.stringify(action.write)}`;
  return `status ${action.status}${action.body === undefined ? '' : ' with a body'}`;
}

const FINAL_FAULTS: readonly string[] = ['redirect-foreign', 'link-foreign'];

/** Why a fault that strikes once may end a run: what looks like a decision of the instance is not asked twice. */
function excuse(action: FaultAction, place: string): string | undefined {
  const text = faultText(action);
  if (FINAL_FAULTS.includes(text)) return 'a link or redirect to another origin ends the run: credentials are at stake';
  if (text === 'html') return 'a page of HTML is what a wrong address or a sign-in page answers';
  if (text === 'status 204') return 'an answer of another 2xx status is not the documented one';
  if (place === 'token' || place === 'discovery') return 'before anything was read, a broken answer ends the run';
  if (text === 'short' && ['view', 'table without key'].includes(place)) return undefined;
  return undefined;
}

function faultCases(): SoakCase[] {
  const once = PLACES.flatMap(([place, on]) =>
    ACTIONS.filter((action) => isPossible(action, place)).map((action) => {
      const why = excuse(action, place);
      return like(
        { name: `${faultText(action)} at ${place}`, group: 'fault', ...(why === undefined ? {} : { mayFail: why }) },
        { faults: [{ on, do: action, afterBytes: place === '$metadata' ? 3000 : 700 }] },
      );
    }),
  );
  const always = ACTIONS.filter((action) => action !== 'hang' && action !== 'hang-in-body').map((action) =>
    like(
      { name: `${faultText(action)}, every time`, group: 'fault', mayFail: 'the fault never passes' },
      { faults: [{ on: { path: `/odata/${LARGE}\\?` }, do: action, afterBytes: 700 }] },
    ),
  );
  const everywhere = (['short', 'duplicate-row', 'error-in-stream', 'cut-clean', 'link-loop'] as const).map((action) =>
    like(
      { name: `${action} at every table, every time`, group: 'fault', mayFail: 'the fault never passes' },
      { faults: [{ on: { path: '/odata/[A-Z][a-z]+_(?!Table_Info)' }, do: action, afterBytes: 700 }] },
    ),
  );
  const noise = (['reset', 'cut', 'cut-clean', 'error-in-stream', 'short', 'duplicate-row'] as const).map((action) =>
    like(
      { name: `${action}, one request in ten`, group: 'fault', mayFail: 'a fault may strike every try of one read' },
      { faults: [{ on: { path: '/odata/[A-Z]', chance: 0.1 }, do: action, afterBytes: 700 }] },
    ),
  );
  const hangs = [
    like(
      { name: 'hang, every time', group: 'fault', impossible: 'the fault never passes' },
      { faults: [{ on: { path: `/odata/${LARGE}\\?` }, do: 'hang' }] },
    ),
    like(
      {
        name: 'a body that trickles past limits.deadline',
        group: 'limit',
        impossible: 'the run lasts longer than limits.deadline',
        limits: { deadlineMs: 30_000 },
      },
      { limits: { bytesPerSecond: 300 } },
    ),
  ];
  return [...once, ...always, ...everywhere, ...noise, ...hangs];
}

function isPossible(action: FaultAction, place: string): boolean {
  const inTable = TABLE_PLACES.some(([name]) => name === place) || place === 'row counts';
  const ofRows = ['short', 'duplicate-row', 'link-foreign', 'link-loop', 'error-in-stream', 'error-in-stream-open'];
  if (ofRows.includes(faultText(action))) return inTable;
  const atSite = place === 'token' || place === 'discovery';
  return !(
    atSite &&
    (action === 'hang-in-body' || action === 'cut' || action === 'cut-clean' || action === 'revoke-token')
  );
}

const CUT = 'an answer that takes longer than a session lives is cut each time';

function limitCases(): SoakCase[] {
  const limited = (name: string, limits: SoakCase['demo']['limits'], more: Partial<SoakCase> = {}) =>
    like({ name, group: 'limit', ...more }, { limits: limits! });
  return [
    limited('one slot, no queue', { slots: 1, queue: 0 }),
    limited('one slot, no queue, Retry-After', { slots: 1, queue: 0, retryAfterSeconds: 1 }),
    limited('others hold slots and queue half of the time', {
      others: { slots: 2, queue: 5, onMs: 400, offMs: 400 },
    }),
    limited('30 requests a minute', { sessionRpm: 30 }, { limits: { deadlineMs: 3_600_000 } }),
    limited('one request a session at once', { sessionConcurrent: 1 }),
    limited('all seats taken', { seats: 5, seatsTaken: 5 }, { impossible: 'no licence seat ever comes free' }),
    limited('one seat, tokens of one minute', { seats: 1, accessTokenSeconds: 60, sessionIdleMs: 5_000 }),
    limited('sessions of twenty seconds', { sessionLifeMs: 20_000 }, { mayFail: CUT }),
    limited(
      'sessions of four seconds, slow bodies',
      { sessionLifeMs: 4_000, bytesPerSecond: 60_000 },
      {
        mayFail: CUT,
      },
    ),
    limited('latency', { latencyMs: 300 }),
    limited('slow bodies', { bytesPerSecond: 40_000 }),
    limited(
      'past limits.deadline while waiting for slots',
      { others: { slots: 2, queue: 5 } },
      {
        limits: { deadlineMs: 20_000 },
        impossible: 'the run lasts longer than limits.deadline',
      },
    ),
    like({ name: 'a reference token', group: 'limit', auth: 'reference-token' }),
  ];
}

/** Row counts at which a table is read in key ranges. */
const RANGES = { tables: [LARGE, 'Dmv_Table_Info'], tableRows: { [LARGE]: 51_000 } };

const LIVELY = { order: { inserts: 8, updates: 16, deletes: 8 }, everyMs: 2 };
const UNSORTED = 'rows without order, while they change, cannot be proven to be all';

function writerCases(): SoakCase[] {
  const written = (name: string, demo: SoakCase['demo'], more: Partial<SoakCase> = {}) =>
    like({ name: `writer, ${name}`, group: 'writer', writer: LIVELY, ...more }, demo);
  return [
    written('plain', {}),
    written('no next link', { personality: { nextLink: 'none' } }),
    written('text order', { personality: { guidOrder: 'text' } }),
    written('2,000 rows', { rights: { maxRows: 2000 } }),
    written('2,000 rows, text order', { rights: { maxRows: 2000 }, personality: { guidOrder: 'text' } }),
    written('no count, no row counts', { personality: { count: false, tableInfo: 'forbidden' } }),
    written('stale row counts', { personality: { tableInfo: 'stale' } }),
    written('key filter refused', { personality: { keyFilter: false } }, { mayFail: 'counts move while it is read' }),
    written('unsorted rows', { personality: { rowOrder: 'any', nextLink: 'none' } }, { mayFail: UNSORTED }),
    written('slow bodies', { limits: { bytesPerSecond: 400_000 } }),
    written('nulls left out', { personality: { nulls: 'omitted' } }),
    written('default filters', { personality: { defaultFilters: true } }),
    written('deletions alone', {}, { writer: { order: { deletes: 12 }, everyMs: 5 } }),
    written('insertions alone', {}, { writer: { order: { inserts: 20 }, everyMs: 2 } }),
    written('key ranges', RANGES),
    written('key ranges, 20,000 rows', { ...RANGES, rights: { maxRows: 20_000 } }),
    written('key ranges, text order', { ...RANGES, personality: { guidOrder: 'text' } }),
    written(
      'short answers, one in ten',
      { faults: [{ on: { path: '/odata/[A-Z]', chance: 0.1 }, do: 'short' }] },
      {
        mayFail: 'a fault may strike every try of one read',
      },
    ),
  ];
}

const RANGE_FAULTS: readonly (readonly [FaultAction, number])[] = [
  ['short', 3],
  ['short', 6],
  ['duplicate-row', 4],
  ['cut-clean', 5],
  ['error-in-stream', 7],
  ['reset', 2],
];

function rangeCases(): SoakCase[] {
  const ranged = (name: string, demo: SoakCase['demo'], more: Partial<SoakCase> = {}) =>
    like({ name: `key ranges, ${name}`, group: 'plain', ...more }, { ...RANGES, ...demo });
  return [
    ranged('plain', {}),
    ranged('text order', { personality: { guidOrder: 'text' } }),
    ranged('2,000 rows', { rights: { maxRows: 2000 } }),
    ranged('unsorted', { personality: { rowOrder: 'any', nextLink: 'none' } }),
    ...RANGE_FAULTS.map(([action, nth]) =>
      ranged(`${action} at read ${nth}`, { faults: [{ on: { path: `/odata/${LARGE}\\?`, nth }, do: action }] }),
    ),
  ];
}

function schemaCases(): SoakCase[] {
  const changed = (name: string, after: number, act: NonNullable<SoakCase['meanwhile']>['act']) =>
    like({ name, group: 'schema', meanwhile: { after, act } });
  const add: NonNullable<SoakCase['meanwhile']>['act'] = (demo) =>
    demo.changeSchema({ kind: 'add', table: LARGE, column: { name: 'Added_Later', type: 'int' } as never });
  const drop: NonNullable<SoakCase['meanwhile']>['act'] = (demo) =>
    demo.changeSchema({ kind: 'drop', table: 'Gen_Documents', column: 'Notes' });
  const retype: NonNullable<SoakCase['meanwhile']>['act'] = (demo) =>
    demo.changeSchema({ kind: 'widen', table: 'Gen_Documents', column: 'State', type: 'int' });
  const widen: NonNullable<SoakCase['meanwhile']>['act'] = (demo) =>
    demo.changeSchema({ kind: 'widen', table: 'Gen_Link_Types', column: 'Link_Type_Name', type: 'nvarchar(4000)' });
  return [1, 5, -1, -6, -11].flatMap((after) => {
    const when = after > 0 ? `when ${after} tables are begun` : `when ${-after} tables are done`;
    return [
      changed(`a column is added ${when}`, after, add),
      changed(`a column is dropped ${when}`, after, drop),
      changed(`a column is widened ${when}`, after, widen),
      changed(`a column changes its type ${when}`, after, retype),
    ];
  });
}

/** Pairs drawn by the seed: two personalities, a right, a fault, sometimes the writer. */
export function pairCases(seed: number, count: number): SoakCase[] {
  const draw = draws(seed);
  return Array.from({ length: count }, (_, index) => {
    const personality = { ...draw(USABLE_PERSONALITIES), ...draw(USABLE_PERSONALITIES) };
    const right = draw([...RIGHTS, null, null, null, null, null, null, null, null]);
    const drawn = draw([true, false, false]) ? { place: draw(PLACES), action: draw(ACTIONS) } : null;
    // Without key and without count nothing in an answer tells that a row is too many or missing: best effort, as the manifest says.
    const untold =
      personality.count === false && ['short', 'duplicate-row'].includes(faultText(drawn?.action ?? 'reset'));
    const fault = untold ? null : drawn;
    const writer = draw([true, false, false]) && Object.keys(right?.[0].hiddenRows ?? {}).length === 0;
    const parts = [
      named(personality),
      right === null ? '' : named(right[0]),
      fault === null ? '' : `${faultText(fault.action)} at ${fault.place[0]}`,
      writer ? 'writer' : '',
    ];
    const excuses = [
      right?.[2] ?? undefined,
      right !== null && right[0].maxRows != null ? CAPPED_KEYLESS : undefined,
      right?.[0].hiddenRows !== undefined && personality.count === false ? GAP : undefined,
      fault === null ? undefined : 'a fault beside another trouble',
      writer && (personality.rowOrder === 'any' || personality.keyFilter === false) ? UNSORTED : undefined,
    ].filter((text) => text !== undefined);
    return like(
      {
        name: `pair ${seed}/${index}: ${parts.filter((text) => text !== '').join(' | ')}`,
        group: 'pair',
        ...(writer ? { writer: LIVELY } : {}),
        ...(excuses[0] === undefined ? {} : { mayFail: excuses[0] }),
      },
      {
        seed: 1 + index,
        personality,
        rights: right?.[0] ?? {},
        faults: fault === null ? [] : [{ on: fault.place[1], do: fault.action, afterBytes: 700 }],
      },
    );
  });
}

/** All but the pairs and what the reader must prove (see `evidence-cases.ts`). */
export function allCases(): readonly SoakCase[] {
  return [
    like({ name: 'as it comes', group: 'plain' }),
    ...personalityCases(),
    ...rightCases(),
    ...limitCases(),
    ...writerCases(),
    ...schemaCases(),
    ...rangeCases(),
    ...faultCases(),
  ];
}
