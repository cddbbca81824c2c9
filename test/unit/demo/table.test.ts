import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createDatabase } from '../../../src/demo/database.ts';
import type { Value } from '../../../src/demo/model.ts';
import type { GuidOrder } from '../../../src/demo/order.ts';
import { START, type TableData } from '../../../src/demo/table.ts';

const database = (tableRows: Record<string, number>) => createDatabase({ tables: Object.keys(tableRows), tableRows });

/** Keys of all rows by walking the places. */
function walk(table: TableData, by: GuidOrder, from = START): (readonly Value[])[] {
  const keys: (readonly Value[])[] = [];
  let place = from;
  for (let found = table.next(place, table.size, by); found !== undefined; found = table.next(place, table.size, by)) {
    if (found.step.kind === 'row') keys.push(table.keyOf(found.step.row.ordinal));
    else for (let p = found.step.from; p < found.step.to; p++) keys.push(table.keyOf(table.rowAt(p, by)!.ordinal));
    place = found.rest;
  }
  return keys;
}

const order = fc.constantFrom<GuidOrder>('sql', 'text');
const write = fc.record({ kind: fc.constantFrom('insert', 'update', 'remove'), pick: fc.nat() });

describe('a table that is written', () => {
  test.each(['Inv_Lots', 'Gen_Measurement_Units', 'Gen_Document_Links'])(
    '%s holds exactly its rows, in order',
    (name) => {
      fc.assert(
        fc.property(fc.integer({ min: 0, max: 60 }), order, fc.array(write, { maxLength: 60 }), (size, by, writes) => {
          const table = database({ [name]: size }).table(name);
          const alive = new Map(Array.from({ length: size }, (_, i) => [i, 0]));
          let version = 10_000;
          for (const { kind, pick } of writes) {
            const ordinals = [...alive.keys()];
            const ordinal = ordinals[pick % Math.max(1, ordinals.length)];
            if (kind === 'insert') alive.set(table.insert(version++).ordinal, 0);
            else if (ordinal === undefined) continue;
            else if (kind === 'remove') {
              table.remove(ordinal);
              alive.delete(ordinal);
            } else alive.set(ordinal, table.update(ordinal, version++).generation);
          }
          const expected = [...alive.keys()]
            .map((ordinal) => table.keyOf(ordinal))
            .sort((a, b) => table.compareKeys(a, b, by));
          expect(walk(table, by)).toEqual(expected);
          expect(table.count).toBe(alive.size);
          for (const [ordinal, generation] of alive) expect(table.rowOf(ordinal)?.generation).toBe(generation);
        }),
        { numRuns: 60 },
      );
    },
  );

  test('is read on from any key to the same rest, with that key or without it', () => {
    fc.assert(
      fc.property(order, fc.integer({ min: 0, max: 30 }), fc.nat(), fc.boolean(), (by, inserts, pick, inclusive) => {
        const table = database({ Inv_Lots: 40 }).table('Inv_Lots');
        for (let i = 0; i < inserts; i++) table.insert(5000 + i);
        const all = walk(table, by);
        const at = pick % all.length;
        expect(walk(table, by, table.placeAt(all[at]!, by, inclusive))).toEqual(all.slice(inclusive ? at : at + 1));
      }),
      { numRuns: 100 },
    );
  });

  test('shows a reader at a place what is inserted ahead of it, and nothing twice', () => {
    const table = database({ Inv_Lots: 2500 }).table('Inv_Lots');
    const seen: Value[] = [];
    let place = START;
    let inserted = 0;
    for (
      let found = table.next(place, table.size, 'sql');
      found !== undefined;
      found = table.next(place, table.size, 'sql')
    ) {
      if (found.step.kind === 'row') seen.push(table.keyOf(found.step.row.ordinal)[0]!);
      else for (let p = found.step.from; p < found.step.to; p++) seen.push(table.keyOf(p)[0]!);
      place = found.rest;
      if (inserted < 20) {
        table.insert(9000 + inserted);
        inserted++;
      }
    }
    const base = Array.from({ length: 2500 }, (_, p) => table.keyOf(p)[0]!);
    expect(new Set(seen).size).toBe(seen.length);
    expect(base.every((key) => seen.includes(key))).toBe(true);
    expect(seen).toEqual([...seen].sort((a, b) => table.compareKeys([a], [b], 'sql')));
  });
});
