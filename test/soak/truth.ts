/** Holds what a snapshot has against what the demo instance's witness says is true. */
import { hashText, unit } from '../../src/demo/hash.ts';
import type { Change, DemoInstance, DemoTable, Personality, Rights } from '../../src/demo/instance.ts';
import { type Exact, type ExactRow, readRows, sixDigits } from '../support/parquet.ts';

/** Rows of a table in key order, as a snapshot should hold them. */
export interface TableTruth {
  readonly key: readonly string[];
  readonly rows: readonly ExactRow[];
  /** The key of a change, as the snapshot holds it. */
  readonly keyOfChange: (change: Change) => string;
}

export type Truth = ReadonlyMap<string, TableTruth>;

type Seen = Pick<Rights, 'hiddenColumns' | 'hiddenRows'>;

/** What an identity with these rights may see of the instance right now. */
export function truthOf(demo: DemoInstance, personality: Partial<Personality>, rights: Partial<Seen>): Truth {
  const tables = demo.tables.filter((table) => !table.name.startsWith('Dmv_'));
  return new Map(tables.map((table) => [table.name, tableTruth(demo, table, personality, rights)]));
}

function tableTruth(
  demo: DemoInstance,
  table: DemoTable,
  personality: Partial<Personality>,
  rights: Partial<Seen>,
): TableTruth {
  const hidden = new Set([...(rights.hiddenColumns?.[table.name] ?? []), ...(rights.hiddenColumns?.['*'] ?? [])]);
  const share = rights.hiddenRows?.[table.name] ?? rights.hiddenRows?.['*'] ?? 0;
  const salt = hashText(table.name, 4242);
  const columns = table.columns.filter((column) => !column.sensitive);
  const rows: ExactRow[] = [];
  let ordinal = 0;
  for (const row of demo.rows(table)) {
    if (share > 0 && unit(salt, ordinal++) < share) continue;
    const entries = columns.map(({ name, type, edmType }) => {
      const value = hidden.has(name) ? null : ((row as Record<string, Exact>)[name] ?? null);
      return [name, stored(value, type.kind, edmType, personality)] as const;
    });
    rows.push(Object.fromEntries(entries));
  }
  const keyColumns = table.key.map((name) => columns.find((column) => column.name === name)!);
  const keyOfChange = ({ key }: Change) =>
    key
      .map((value, i) => {
        const { type, edmType } = keyColumns[i]!;
        return String(stored(value as Exact, type.kind, edmType, personality));
      })
      .join(',');
  return { key: table.key, rows, keyOfChange };
}

/** A true value as a column of the portable profile holds it. */
function stored(value: Exact, kind: string, edmType: string, personality: Partial<Personality>): Exact {
  if (value === null) return null;
  const text = String(value);
  switch (kind) {
    case 'time':
      return edmType === 'Edm.Duration' ? duration(text) : text.replace('.000000', '');
    case 'datetime':
      return sixDigits(text);
    case 'date':
      return edmType === 'Edm.DateTimeOffset' ? `${text}T00:00:00.000000Z` : text;
    case 'text':
      return personality.multiLanguage === 'accept-language' ? text : value;
    default:
      return value;
  }
}

function duration(text: string): string {
  const [hours = '0', minutes = '0', seconds = '0'] = text.split(':');
  return `PT${Number(hours)}H${Number(minutes)}M${Number(seconds)}S`;
}

export interface Comparison {
  readonly before: Truth;
  readonly after: Truth;
  readonly changes: readonly Change[];
  /** Table to its Parquet files. */
  readonly files: ReadonlyMap<string, readonly string[]>;
}

export interface Wrong {
  readonly table: string;
  readonly fault: string;
}

/** What is wrong with a published snapshot, table by table; empty when nothing is. */
export async function findWrong({ before, after, changes, files }: Comparison): Promise<readonly Wrong[]> {
  const wrong: Wrong[] = [];
  for (const [name, now] of after) {
    const paths = files.get(name);
    if (paths === undefined) {
      wrong.push({ table: name, fault: 'it is not in the snapshot' });
      continue;
    }
    const rows = (await Promise.all(paths.map(readRows))).flat();
    const own = changes.filter((change) => change.table === name);
    const fault =
      own.length === 0
        ? compareStill(rows, now)
        : compareMoving(rows, before.get(name) ?? { ...now, rows: [] }, now, own);
    if (fault !== null) wrong.push({ table: name, fault });
  }
  return wrong;
}

/** Nothing was written to it: the same rows, whatever their order. */
function compareStill(rows: readonly ExactRow[], { key, rows: truth }: TableTruth): string | null {
  if (rows.length !== truth.length) return `${rows.length} rows instead of ${truth.length}`;
  const identify = key.length === 0 ? textOf : (row: ExactRow) => keyOf(row, key);
  const wanted = new Map<string, ExactRow[]>();
  for (const row of truth) wanted.set(identify(row), [...(wanted.get(identify(row)) ?? []), row]);
  for (const row of rows) {
    const want = wanted.get(identify(row))?.pop();
    if (want === undefined) return `a row too many or unknown: ${identify(row).slice(0, 200)}`;
    const fault = differs(row, want);
    if (fault !== null) return fault;
  }
  return null;
}

/**
 * Rows were written while it was read. Every row that existed unchanged for the whole run is there once, no key twice, no row that never
 * existed, and a row that changed is one of its versions.
 */
function compareMoving(
  rows: readonly ExactRow[],
  before: TableTruth,
  after: TableTruth,
  changes: readonly Change[],
): string | null {
  const keyText = after.keyOfChange;
  const changed = new Map<string, Set<string>>();
  for (const change of changes)
    changed.set(keyText(change), (changed.get(keyText(change)) ?? new Set()).add(rowVersion(change.rowVersion)));
  const first = new Map(before.rows.map((row) => [keyOf(row, before.key), row]));
  const last = new Map(after.rows.map((row) => [keyOf(row, after.key), row]));
  const seen = new Set<string>();
  for (const row of rows) {
    const key = keyOf(row, after.key);
    if (seen.has(key)) return `the key ${key} comes twice`;
    seen.add(key);
    const versions = changed.get(key);
    if (versions === undefined) {
      const want = first.get(key);
      if (want === undefined) return `the row ${key} never existed`;
      const fault = differs(row, want);
      if (fault !== null) return fault;
      continue;
    }
    const versionsKnown = [first.get(key), last.get(key)].filter((one) => one !== undefined);
    if (!('Row_Version' in row)) {
      // Nothing but its values tells which version it is.
      const faults = versionsKnown.map((one) => differs(row, one));
      if (!faults.includes(null)) return faults[0] ?? `the row ${key} is known in neither version`;
      continue;
    }
    const known = versionsKnown.find((one) => one['Row_Version'] === row['Row_Version']);
    if (known !== undefined) {
      const fault = differs(row, known);
      if (fault !== null) return fault;
    } else if (!versions.has(String(row['Row_Version']))) return `the row ${key} never had this Row_Version`;
  }
  for (const key of first.keys()) {
    if (!changed.has(key) && !seen.has(key)) return `the row ${key} did not change and is missing`;
  }
  return null;
}

/** SQL Server's 8 bytes, as the instance writes them. */
function rowVersion(value: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes.toString('base64');
}

function differs(row: ExactRow, want: ExactRow): string | null {
  for (const [name, value] of Object.entries(want)) {
    const have = row[name];
    if (have !== value && !(Number.isNaN(have) && Number.isNaN(value))) {
      return `${name} is ${short(have)} instead of ${short(value)}`;
    }
  }
  const extra = Object.keys(row).filter((name) => !(name in want));
  return extra.length === 0 ? null : `columns that are not there: ${extra.join(', ')}`;
}

function keyOf(row: ExactRow, key: readonly string[]): string {
  return key.map((name) => String(row[name])).join(',');
}

function textOf(row: ExactRow): string {
  const sorted = Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(sorted, (_, value) => (typeof value === 'bigint' ? `${value}n` : value));
}

function short(value: unknown): string {
  return value === undefined ? 'absent' : `${String(value)} (${typeof value})`.slice(0, 80);
}
