import { readFile, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalBytes, canonicalJson } from '../../../src/core/json.ts';
import { keyProblem } from '../../../src/storage/key.ts';
import {
  manifestBytes,
  manifestJsonSchema,
  manifestProblems,
  parseManifest,
} from '../../../src/vault/chain/manifest.ts';
import { newRunId, partKey, RUN_ID, SNAPSHOTS, segment, sequenceOf, snapshotKey } from '../../../src/vault/layout.ts';
import { WRITE_SCHEMAS } from '../../support/write-schemas.ts';
import { draft, NOW, partEntry, runId, tableEntry } from './support.ts';

const SCHEMA_FILE = 'schemas/manifest.schema.json';

describe('names in keys', () => {
  it('of any tables and pipelines are valid, and two names never share one', () => {
    const seen = new Map<string, string>();
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 320 }), (name) => {
        const key = `tables/${segment(name)}/x.parquet`;
        expect(keyProblem(key)).toBeUndefined();
        const well = Buffer.from(name).toString();
        expect(seen.get(key) ?? well).toBe(well);
        seen.set(key, well);
      }),
      { numRuns: 150 },
    );
  });

  it.each([
    ['Gen_Documents', 'Gen_Documents'],
    ['../x', '%2e%2e%2fx'],
    ['nul', '%6eul'],
    ['a b', 'a%20b'],
    ['Köln', 'K%c3%b6ln'],
  ])('%s becomes %s', (name, expected) => {
    expect(segment(name)).toBe(expected);
  });

  it('of 300 characters that differ in the last only still differ', () => {
    const [a, b] = [segment(`${'x'.repeat(299)}a`), segment(`${'x'.repeat(299)}b`)];
    expect(a).not.toBe(b);
    expect(a.length).toBeLessThanOrEqual(150);
  });

  it('hold sequences that sort as numbers and come back', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (a, b) => {
        expect(snapshotKey(a + 1) < snapshotKey(b + 1)).toBe(a < b);
        expect(sequenceOf(snapshotKey(a + 1), SNAPSHOTS)).toBe(a + 1);
      }),
    );
    expect(sequenceOf('snapshots/1.json', SNAPSHOTS)).toBeUndefined();
    expect(sequenceOf('snapshots/99999999999999999999.json', SNAPSHOTS)).toBeUndefined();
    expect(newRunId(NOW, () => '0a1b2c3d')).toBe('20261121T020000Z-0a1b2c3d');
    expect(newRunId(NOW, () => '0a1b2c3d')).toMatch(RUN_ID);
    expect(partKey('T', 'r', 2, 'f'.repeat(64))).toBe('tables/T/r-2-ffffffffffff.parquet');
  });
});

describe('stored JSON', () => {
  it('is the same bytes for the same value, whatever the order of its members, and parses to it', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const shuffled: unknown = JSON.parse(JSON.stringify(value), (_name, inner: unknown) =>
          typeof inner === 'object' && inner !== null && !Array.isArray(inner)
            ? Object.fromEntries(Object.entries(inner).reverse())
            : inner,
        );
        expect(canonicalJson(shuffled)).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('holds no number that JSON cannot', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1n, () => 1]) {
      expect(() => canonicalJson({ value })).toThrowError(expect.objectContaining({ code: 'BUG' }));
    }
  });
});

describe('the manifest', () => {
  const run = runId();
  const part = partEntry({
    key: partKey('T', run, 0, '0'.repeat(64)),
    run,
    rows: 2,
    bytes: 7,
    columns: { Id: { nulls: 0 } },
  });
  const whole = { ...draft({ tables: [tableEntry([part])] }), sequence: 1, parent: null };

  it('comes back as it was, with members of a later version and columns of any name', () => {
    const columns = JSON.parse('{"__proto__": {"nulls": 1}, "constructor": {"nulls": 2}}') as Record<
      string,
      { nulls: number }
    >;
    const table = tableEntry([{ ...part, columns }]);
    const stored = canonicalBytes({ ...whole, tables: [table], later: { x: 1 } });
    const read = parseManifest(stored, 'k');
    expect(canonicalJson(read)).toBe(Buffer.from(stored).toString());
    expect(Object.keys(read.tables[0]?.parts[0]?.columns ?? {}).sort()).toEqual(['__proto__', 'constructor']);
  });

  it('that is damaged is refused with its key and the place of the fault', () => {
    const bad = { ...whole, tables: [{ ...whole.tables[0], rows: -1 }] };
    expect(() => parseManifest(canonicalBytes(bad), 'snapshots/x')).toThrowError(
      expect.objectContaining({
        code: 'VAULT_CORRUPT',
        message: expect.stringMatching(/snapshots\/x.*tables\.0\.rows/),
      }),
    );
    for (const text of ['', '{', 'null', '[]', '{"formatVersion":1}']) {
      expect(() => parseManifest(Buffer.from(text), 'k')).toThrowError(
        expect.objectContaining({ code: 'VAULT_CORRUPT' }),
      );
    }
    expect(() => parseManifest(canonicalBytes({ ...whole, formatVersion: 2 }), 'k')).toThrowError(/version 2/);
  });

  it('that agrees with itself has no problems, and each contradiction is found', () => {
    expect(manifestProblems(whole)).toEqual([]);
    const table = whole.tables[0]!;
    const wrong = [
      { ...whole, tables: [table, table] },
      { ...whole, tables: [{ ...table, rows: 3 }] },
      { ...whole, tables: [{ ...table, bytes: 8 }] },
      { ...whole, tables: [{ ...table, parts: [] }] },
      { ...whole, tables: [{ ...table, schema: { ...table.schema, key: ['No'] } }] },
      { ...whole, tables: [{ ...table, parts: [{ ...part, columns: { No: { nulls: 0 } } }] }] },
      { ...whole, tables: [{ ...table, parts: [{ ...part, columns: { Id: { nulls: 3 } } }] }] },
      { ...whole, failed: [{ name: 'X', error: { code: 'C', message: 'm' } }] },
      { ...whole, totals: { ...whole.totals, rows: 1 } },
    ];
    for (const each of wrong) expect(manifestProblems(each)).not.toEqual([]);
    expect(manifestBytes(whole).byteLength).toBeGreaterThan(100);
  });

  it('has a JSON Schema in schemas/ that is made of the same source (make schemas writes it)', async () => {
    const expected = `${JSON.stringify(manifestJsonSchema(), null, 2)}\n`;
    if (WRITE_SCHEMAS) await writeFile(SCHEMA_FILE, expected);
    expect(JSON.parse(await readFile(SCHEMA_FILE, 'utf8'))).toEqual(JSON.parse(expected));
  });
});
