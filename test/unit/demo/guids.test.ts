import { describe, expect, test } from 'vitest';
import { compareGuidsAsSqlServer } from '../../../src/core/guid.ts';
import { randomGuids, sequentialGuids } from '../../../src/demo/guids.ts';
import { type GuidOrder, valueOrder } from '../../../src/demo/order.ts';

const compare = (a: string, b: string, by: GuidOrder) => valueOrder({ kind: 'guid' }, by)(a, b);

describe('the order of uniqueidentifier', () => {
  test('is the published order of SqlGuid: the last group counts first', () => {
    const published = [
      '2aaaaaaa-bbbb-cccc-dddd-1eeeeeeeeeee',
      '3aaaaaaa-bbbb-cccc-dddd-2eeeeeeeeeee',
      '1aaaaaaa-bbbb-cccc-dddd-3eeeeeeeeeee',
    ];
    expect(published.toReversed().sort((a, b) => compare(a, b, 'sql'))).toEqual(published);
  });

  test('is the published order of single bytes: from the first group to the last, turned within the first three', () => {
    const published = [
      '01000000-0000-0000-0000-000000000000',
      '00010000-0000-0000-0000-000000000000',
      '00000100-0000-0000-0000-000000000000',
      '00000001-0000-0000-0000-000000000000',
      '00000000-0100-0000-0000-000000000000',
      '00000000-0001-0000-0000-000000000000',
      '00000000-0000-0100-0000-000000000000',
      '00000000-0000-0001-0000-000000000000',
      '00000000-0000-0000-0001-000000000000',
      '00000000-0000-0000-0100-000000000000',
      '00000000-0000-0000-0000-000000000001',
      '00000000-0000-0000-0000-000000000100',
      '00000000-0000-0000-0000-000000010000',
      '00000000-0000-0000-0000-000001000000',
      '00000000-0000-0000-0000-000100000000',
      '00000000-0000-0000-0000-010000000000',
    ];
    expect(published.toReversed().sort((a, b) => compare(a, b, 'sql'))).toEqual(published);
    expect([...published].sort((a, b) => compare(a, b, 'text'))).not.toEqual(published);
  });
});

describe.each([
  ['sequential', sequentialGuids],
  ['random', randomGuids],
])('%s keys', (kind, make) => {
  test.each([1, 2, 49, 50, 3000, 20_000])('of %d rows are distinct, in order, and found again', (size) => {
    const guids = make('Some_Table.Id', 7, size);
    let last = '';
    for (let p = 0; p < size; p++) {
      const guid = guids.at(p);
      if (p > 0 && compareGuidsAsSqlServer(last, guid) >= 0) throw new Error(`${last} is not before ${guid} at ${p}`);
      if (guids.find(guid) !== p) throw new Error(`${guid} is found at ${guids.find(guid)}, not ${p}`);
      last = guid;
    }
  });

  test('made later are distinct from the first ones and from each other', () => {
    const guids = make('Some_Table.Id', 7, 500);
    const all = Array.from({ length: 1500 }, (_, p) => guids.at(p));
    expect(new Set(all).size).toBe(1500);
    expect(all.slice(500).every((guid) => guids.find(guid) === -1)).toBe(true);
  });

  test(kind === 'sequential' ? 'share a few tails' : 'share nothing', () => {
    const guids = make('Some_Table.Id', 7, 3000);
    const tails = new Set(Array.from({ length: 3000 }, (_, p) => guids.at(p).slice(14)));
    if (kind === 'sequential') {
      expect(tails.size).toBeGreaterThanOrEqual(3);
      expect(tails.size).toBeLessThanOrEqual(5);
      expect([...tails].every((tail) => /^e[23589bd]11-[0-9a-f]{4}-[0-9a-f]{12}$|^e\d11-/.test(tail))).toBe(true);
    } else expect(tails.size).toBe(3000);
  });
});
