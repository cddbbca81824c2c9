/** Life: inserts, updates and deletions while the instance is read. Foreign keys go on holding. */
import type { Clock } from '../core/clock.ts';
import type { Database } from './database.ts';
import { mix } from './hash.ts';
import type { Value } from './model.ts';
import type { WriteOrder } from './options.ts';
import { START, type TableData } from './table.ts';

export interface Change {
  readonly kind: 'insert' | 'update' | 'delete';
  readonly table: string;
  readonly key: readonly Value[];
  /** The version given to the row; for a deletion, the counter's value then. */
  readonly rowVersion: number;
  readonly atMs: number;
}

export interface Writer {
  /** Writes so many changes at once, spread over the tables. */
  write(order: WriteOrder): readonly Change[];
  /** Writes the order's changes every so many milliseconds, until stopped. */
  start(order: WriteOrder, everyMs: number): void;
  stop(): void;
  /** Everything written so far, in order. */
  changes(): readonly Change[];
}

export function createWriter(db: Database, clock: Clock, seed: number): Writer {
  const log: Change[] = [];
  let drawn = 0;
  let timer: NodeJS.Timeout | null = null;
  const draw = (below: number) => mix(seed ^ 0x77777, drawn++) % below;

  const writable = [...db.tables.values()].filter(
    (table) => table.keys[0]?.guids != null && table.columns.some((column) => column.type.kind === 'rowversion'),
  );
  const referred = new Set(
    [...db.tables.values()].flatMap((table) => table.columns.map((column) => column.references)),
  );

  const record = (kind: Change['kind'], table: TableData, ordinal: number, rowVersion: number) => {
    const change = { kind, table: table.name, key: table.keyOf(ordinal), rowVersion, atMs: clock.now() };
    log.push(change);
    return change;
  };
  /** A row that exists, or -1 after some fruitless draws. */
  const existing = (table: TableData) => {
    for (let tries = 0; tries < 50 && table.size > 0; tries++) {
      const ordinal = draw(table.size);
      if (table.rowOf(ordinal) !== undefined) return ordinal;
    }
    return -1;
  };
  /** The first or last row that exists, in SQL Server's order of keys, or -1. */
  const atEdge = (table: TableData, edge: 'first' | 'last') => {
    let last = -1;
    let place = START;
    for (;;) {
      const found = table.next(place, table.size, 'sql');
      if (found === undefined) return last;
      const { step } = found;
      if (edge === 'first') return step.kind === 'row' ? step.row.ordinal : step.from;
      last = step.kind === 'row' ? step.row.ordinal : step.to - 1;
      place = found.rest;
    }
  };
  /** A row that may go: any of a table nobody refers to, else one inserted later. */
  const removable = (table: TableData, where: WriteOrder['where']) => {
    if (!referred.has(table.name))
      return where === 'first' || where === 'last' ? atEdge(table, where) : existing(table);
    const inserted = table.insertedOrdinals();
    return inserted.length === 0 ? -1 : inserted[draw(inserted.length)]!;
  };

  const write = (order: WriteOrder): readonly Change[] => {
    const tables = order.tables === undefined ? writable : order.tables.map((name) => db.table(name));
    const from = log.length;
    if (tables.length === 0) return [];
    const times = (count: number | undefined, act: (table: TableData) => boolean) => {
      // A table that has no such row is passed over; with none left to try the order stays short, as the log tells.
      for (let done = 0, tries = 0; done < (count ?? 0) && tries < (count ?? 0) * 20 + 100; tries++) {
        if (act(tables[draw(tables.length)]!)) done++;
      }
    };
    times(order.inserts, (table) => {
      const version = db.nextVersion();
      const { ordinal } = table.insert(version, order.where === 'last' ? 'end' : 'own');
      record('insert', table, ordinal, version);
      return true;
    });
    times(order.updates, (table) => {
      const { where } = order;
      const ordinal = where === 'first' || where === 'last' ? atEdge(table, where) : existing(table);
      if (ordinal < 0) return false;
      const version = db.nextVersion();
      table.update(ordinal, version);
      record('update', table, ordinal, version);
      return true;
    });
    times(order.deletes, (table) => {
      const ordinal = removable(table, order.where);
      if (ordinal < 0) return false;
      record('delete', table, ordinal, db.nextVersion());
      table.remove(ordinal);
      return true;
    });
    return log.slice(from);
  };

  return {
    write,
    start(order, everyMs) {
      if (timer !== null) clearInterval(timer);
      timer = setInterval(() => write(order), everyMs);
      timer.unref();
    },
    stop() {
      if (timer !== null) clearInterval(timer);
      timer = null;
    },
    changes: () => [...log],
  };
}
