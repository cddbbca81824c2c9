/** What changed since the last complete snapshot: what is told of it, and what the pipeline does not accept. */
import { TablevaultError } from '../../core/errors.ts';
import { globMatcher } from '../../core/globs.ts';
import type { Expectations, Pipeline } from '../../core/pipeline.ts';
import { count, plural } from '../../core/words.ts';
import type { Manifest, TableDrift, TableEntry } from '../../vault/chain/manifest.ts';

/** A drop that is reported whether or not the pipeline expects anything. */
const NOTABLE_DROP_PERCENT = 50;

/** Rows lost since the last complete snapshot, per cent; 0 when it grew or had none. */
function rowDropPercent(before: number, now: number): number {
  return before === 0 || now >= before ? 0 : ((before - now) / before) * 100;
}

/** What is worth telling of a table against the last complete snapshot. */
export function changeWarnings(
  entry: TableEntry,
  before: TableEntry | undefined,
  drift: TableDrift | null,
): readonly string[] {
  const warnings: string[] = [];
  if (before !== undefined && rowDropPercent(before.rows, entry.rows) > NOTABLE_DROP_PERCENT) {
    warnings.push(`it has ${plural(entry.rows, 'row')}; the last complete snapshot had ${count(before.rows)}`);
  }
  if (drift !== null) {
    const changes = [
      ...drift.added.map((name) => `${name} added`),
      ...drift.removed.map((name) => `${name} removed`),
      ...drift.retyped.map(({ name, from, to }) => `${name} changed from ${from} to ${to}`),
    ];
    warnings.push(`columns changed since the last complete snapshot: ${changes.join(', ')}`);
  }
  return warnings;
}

/** Columns added, removed and retyped since `before`; null when none were. */
export function driftOf(entry: TableEntry, before: TableEntry | undefined): TableDrift | null {
  if (before === undefined) return null;
  const then = new Map(before.schema.columns.map((column) => [column.name, column]));
  const now = new Map(entry.schema.columns.map((column) => [column.name, column]));
  const drift = {
    added: [...now.keys()].filter((name) => !then.has(name)),
    removed: [...then.keys()].filter((name) => !now.has(name)),
    retyped: [...now.values()].flatMap((column) => {
      const from = then.get(column.name);
      return from === undefined || from.parquetType === column.parquetType
        ? []
        : [{ name: column.name, from: from.parquetType, to: column.parquetType }];
    }),
  };
  return drift.added.length + drift.removed.length + drift.retyped.length === 0 ? null : drift;
}

/** What was read, and what it is held against. */
export interface ReadTables {
  readonly tables: readonly TableEntry[];
  /** Tables that failed, where a partial snapshot is allowed. */
  readonly failed: readonly string[];
  /** The last complete snapshot. */
  readonly previous: Manifest | undefined;
  /** Was it narrowed by `--tables`? Then other tables are not missed. */
  readonly narrowed: boolean;
}

/** Tables of the last complete snapshot that the pipeline still asks for, and that the instance no longer offers. */
export function goneTables(
  { tables, failed, previous, narrowed }: ReadTables,
  { include, exclude }: Pick<Pipeline['tables'], 'include' | 'exclude'>,
): readonly string[] {
  if (previous === undefined || narrowed) return [];
  const here = new Set([...tables.map(({ name }) => name), ...failed]);
  const matches = (globs: readonly string[], name: string) => globs.some((glob) => globMatcher(glob)(name));
  const isWanted = (name: string) => matches(include, name) && !matches(exclude, name);
  return previous.tables.map(({ name }) => name).filter((name) => !here.has(name) && isWanted(name));
}

/**
 * @param gone tables that are no longer there: all of their rows are lost
 * @throws EXPECTATION_FAILED naming every table that is not as the pipeline expects it
 */
export function checkExpectations(
  expect: Expectations,
  { tables, failed, previous, narrowed }: ReadTables,
  gone: readonly string[],
): void {
  const problems: string[] = [];
  const most = expect.maxRowDropPercent;
  if (most !== undefined && gone.length > 0) {
    problems.push(`the instance no longer offers ${gone.join(', ')}, which the last complete snapshot holds`);
  }
  const here = new Set([...tables.map(({ name }) => name), ...failed]);
  for (const [name, least] of Object.entries(expect.minRows ?? {})) {
    if (least > 0 && !narrowed && !here.has(name)) {
      problems.push(
        `${name} was not read, since it is no table of this snapshot (at least ${plural(least, 'row')} of it ${least === 1 ? 'is' : 'are'} expected)`,
      );
    }
  }
  for (const table of tables) {
    const before = previous?.tables.find(({ name }) => name === table.name);
    const drop = before === undefined ? 0 : rowDropPercent(before.rows, table.rows);
    if (most !== undefined && drop > most) {
      problems.push(
        `${table.name} lost ${drop.toFixed(1)} % of its rows (${count(before?.rows ?? 0)} to ${count(table.rows)}; at most ${most} % is expected)`,
      );
    }
    const least = expect.minRows?.[table.name];
    if (least !== undefined && table.rows < least)
      problems.push(
        `${table.name} has ${plural(table.rows, 'row')} (at least ${count(least)} ${least === 1 ? 'is' : 'are'} expected)`,
      );
  }
  if (problems.length === 0) return;
  throw new TablevaultError('EXPECTATION_FAILED', `nothing was published: ${problems.join('; ')}`, {
    hint: 'Look at the instance first. If the change is meant, adjust `expect` in the pipeline and run again: what was read is used again.',
  });
}
