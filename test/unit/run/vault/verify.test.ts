import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256Hex } from '../../../../src/core/digest.ts';
import { TablevaultError } from '../../../../src/core/errors.ts';
import { canonicalBytes } from '../../../../src/core/json.ts';
import { damage, listSnapshots, staleness } from '../../../../src/run/vault/list.ts';
import { tablePaths } from '../../../../src/run/vault/paths.ts';
import { openVaultReader } from '../../../../src/run/vault/reader.ts';
import { showSnapshot } from '../../../../src/run/vault/show.ts';
import { type VerifyLevel, verifyVault } from '../../../../src/run/vault/verify.ts';
import { createFolderStore } from '../../../../src/storage/folder.ts';
import { createMemoryStore } from '../../../../src/storage/memory.ts';
import type { Store } from '../../../../src/storage/store.ts';
import type { PartEntry, TableEntry } from '../../../../src/vault/chain/manifest.ts';
import { sealedBytes } from '../../../../src/vault/chain/seal.ts';
import { commitSnapshot } from '../../../../src/vault/commit/commit.ts';
import { LATEST_KEY, outcomeKey, partKey, snapshotKey, tombstoneKey } from '../../../../src/vault/layout.ts';
import { openVault } from '../../../../src/vault/open.ts';
import type { Vault } from '../../../../src/vault/vault.ts';
import { faultyStore } from '../../vault/faulty-store.ts';
import {
  commitAndIndex,
  draft,
  memoryVault,
  NOW,
  partEntry,
  runId,
  tableEntry,
  testClock,
} from '../../vault/support.ts';

const deps = { clock: testClock(true), persistence: { attempts: 2, firstPauseMs: 1, lastPauseMs: 1 } };
const HOUR = 3_600_000;
const COLUMNS: TableEntry['schema']['columns'] = [
  { name: 'Id', edmType: 'Edm.Guid', type: { kind: 'guid' }, nullable: false, parquetType: 'VARCHAR' },
  {
    name: 'Amount',
    edmType: 'Edm.Decimal',
    type: { kind: 'decimal', precision: 38, scale: 2 },
    nullable: true,
    parquetType: 'DECIMAL(38,2)',
  },
  {
    name: 'Moment',
    edmType: 'Edm.DateTimeOffset',
    type: { kind: 'timestamp' },
    nullable: true,
    parquetType: 'TIMESTAMP WITH TIME ZONE',
  },
  { name: 'Rate', edmType: 'Edm.Double', type: { kind: 'float64' }, nullable: true, parquetType: 'DOUBLE' },
  { name: 'Raw', edmType: 'Edm.Binary', type: { kind: 'binary' }, nullable: true, parquetType: 'BLOB' },
];
const A = '00000000-0000-0000-0000-00000000000a';
const B = 'ffffffff-0000-0000-0000-00000000000b';
const C = '11111111-0000-0000-0000-00000000000c';

let local: string;
let duck: DuckDBInstance;
beforeAll(async () => {
  local = await mkdtemp(join(tmpdir(), 'tablevault-verify-test-'));
  duck = await DuckDBInstance.create(':memory:');
});
afterAll(async () => {
  duck.closeSync();
  await rm(local, { recursive: true });
});

/** Bytes of a Parquet file with these rows. */
async function parquet(rows: readonly string[], columns = 'Id, Amount, Moment, Rate, Raw'): Promise<Uint8Array> {
  const path = join(local, `${randomBytes(8).toString('hex')}.parquet`);
  const connection = await duck.connect();
  await connection.run(
    `COPY (SELECT ${columns} FROM (VALUES ${rows.join(', ')}) v(Id, Amount, Moment, Rate, Raw)) TO '${path}' (FORMAT parquet)`,
  );
  connection.closeSync();
  return readFile(path);
}

const row = (id: string | null, amount = '1.50') =>
  `(${id === null ? 'NULL::VARCHAR' : `'${id}'`}, ${amount}::DECIMAL(38,2), TIMESTAMPTZ '2026-01-02 03:04:05.000006+00', 'NaN'::DOUBLE, '\\xAA\\x01'::BLOB)`;

const STATISTICS: PartEntry['columns'] = {
  Id: { nulls: 0, min: A, max: B },
  Amount: { nulls: 0, min: '-2.00', max: '1.50' },
  Moment: { nulls: 0, min: '2026-01-02 03:04:05.000006+00', max: '2026-01-02T03:04:05.000006Z' },
  Rate: { nulls: 0 },
  Raw: { nulls: 0, min: 'AA01', max: 'AA01' },
};

/** A vault of one snapshot with one table of one part; `part` and `table` say otherwise what the manifest tells of it. */
async function vaultWith(
  bytes: Uint8Array,
  change: { part?: Partial<PartEntry>; table?: Partial<TableEntry>; store?: Store; stored?: Uint8Array } = {},
) {
  const vault = await memoryVault(change.store ?? createMemoryStore());
  const run = runId();
  const sha256 = sha256Hex(bytes);
  const key = partKey('Gen_Documents', run, 0, sha256);
  await vault.store.putNew(key, bytes);
  const part = partEntry({
    key,
    run,
    rows: 2,
    bytes: bytes.byteLength,
    sha256,
    firstKey: [A],
    lastKey: [B],
    columns: STATISTICS,
    ...change.part,
  });
  const table = tableEntry([part], { schema: { columns: COLUMNS, key: ['Id'] }, ...change.table });
  const committed = await commitSnapshot(vault, draft({ run, snapshot: run, tables: [table] }), deps);
  if (change.stored !== undefined) await vault.store.replace(key, change.stored);
  return { vault, key, run, committed };
}

async function codes(vault: Vault, level: VerifyLevel = 'rows'): Promise<string[]> {
  return (await verifyVault(vault, { level, all: true })).findings.map(({ code }) => code);
}

async function altered(vault: Vault, key: string, change: (object: Record<string, unknown>) => unknown) {
  const object = JSON.parse(Buffer.from(await vault.store.get(key)).toString()) as Record<string, unknown>;
  await vault.store.replace(key, canonicalBytes(change(object)));
}

describe('verify of a sound vault', () => {
  it.each(['memory', 'folder'])('finds nothing at any level on a %s store, and changes nothing', async (kind) => {
    const store = kind === 'memory' ? createMemoryStore() : createFolderStore(join(local, 'vault'));
    const { vault } = await vaultWith(await parquet([row(A), row(B, '-2')]), { store });
    await commitSnapshot(vault, draft(), deps);
    const before: string[] = [];
    for await (const { key } of store.list('')) before.push(`${key} ${sha256Hex(await store.get(key))}`);
    for (const level of ['manifest', 'files', 'rows'] as const) {
      const report = await verifyVault(vault, { level, snapshot: '1' });
      expect(report).toMatchObject({ ok: true, level, sequence: 1, findings: [], notices: [] });
      expect(report.checked).toMatchObject({ snapshots: 2, rows: level === 'rows' ? 2 : 0 });
    }
    const after: string[] = [];
    for await (const { key } of store.list('')) after.push(`${key} ${sha256Hex(await store.get(key))}`);
    expect(after).toEqual(before);
  });

  it('tells of a vault without snapshots as a fault, and of an unfinished commit and of a wrong hint without calling them damage', async () => {
    const store = createMemoryStore();
    const vault = await memoryVault(store);
    const notices = async () => (await verifyVault(vault, { level: 'files' })).notices.map(({ code }) => code);
    expect(await codes(vault)).toEqual(['VAULT_EMPTY']);
    await commitSnapshot(vault, draft(), deps);
    const dying = faultyStore(store, (key) => (key.startsWith('snapshots/') ? 'kill-before' : undefined));
    await commitSnapshot({ ...vault, store: dying }, draft(), deps).catch(() => undefined);
    await store.replace(LATEST_KEY, Buffer.from('x'));
    expect(await notices()).toEqual(['COMMIT_UNFINISHED', 'HINT_WRONG']);
    expect(await codes(vault)).toEqual([]);
  });
});

describe('verify at the level manifest', () => {
  async function threeSnapshots() {
    const vault = await memoryVault();
    const committed = [];
    for (let n = 0; n < 3; n += 1) committed.push(await commitAndIndex(vault, draft(), deps));
    return { vault, runs: committed.map(({ manifest }) => manifest.run), committed };
  }

  it('finds manifests that are cut, swapped, changed or gone', async () => {
    const cases: [(vault: Vault, runs: string[]) => Promise<unknown>, string[]][] = [
      [({ store }) => store.replace(snapshotKey(2), Buffer.from('{"formatVersion":1,')), ['MANIFEST_UNREADABLE']],
      [({ store }) => store.remove(snapshotKey(2)), ['SEQUENCE_MISSING']],
      [({ store }) => store.remove(snapshotKey(3)), ['SNAPSHOT_MISSING']],
      [async ({ store }) => store.replace(snapshotKey(2), await store.get(snapshotKey(3))), ['MANIFEST_UNREADABLE']],
      [
        (vault) => altered(vault, snapshotKey(2), (m) => ({ ...m, requests: 99 })),
        ['MANIFEST_CHANGED', 'OUTCOME_DIFFERS', 'CHAIN_BROKEN'],
      ],
      // The newest has no child that names its hash.
      [
        (vault) => altered(vault, snapshotKey(3), (m) => ({ ...m, requests: 99 })),
        ['MANIFEST_CHANGED', 'OUTCOME_DIFFERS'],
      ],
      [
        (vault) => altered(vault, snapshotKey(3), (m) => ({ ...m, parent: null })),
        ['MANIFEST_CHANGED', 'CHAIN_BROKEN'],
      ],
      [
        (vault) => altered(vault, snapshotKey(1), (m) => ({ ...m, parent: { sequence: 1, sha256: 'a'.repeat(64) } })),
        ['MANIFEST_CHANGED', 'CHAIN_BROKEN', 'CHAIN_BROKEN'],
      ],
      [({ store }, runs) => store.remove(outcomeKey(runs[1]!)), ['OUTCOME_MISSING']],
      [({ store }, runs) => store.replace(outcomeKey(runs[1]!), Buffer.from('no')), ['OUTCOME_UNREADABLE']],
    ];
    for (const [damage, expected] of cases) {
      const { vault, runs } = await threeSnapshots();
      await damage(vault, runs);
      expect((await codes(vault, 'manifest')).sort()).toEqual(expected.toSorted());
    }
  });

  it('notes what stands in the place of latest.json and cannot be read, and finds nothing', async () => {
    const { vault } = await threeSnapshots();
    const { store } = vault;
    const refuse = () =>
      Promise.reject(new TablevaultError('DESTINATION_MISSING', 'reading latest.json failed (EISDIR)'));
    const get: Store['get'] = (key, call) => (key === LATEST_KEY ? refuse() : store.get(key, call));
    const report = await verifyVault({ ...vault, store: { ...store, get } }, { level: 'manifest' });
    expect(report).toMatchObject({ ok: true, findings: [], notices: [{ code: 'HINT_WRONG' }] });
  });

  it('takes a tombstone for a retired manifest, and finds a damaged tombstone', async () => {
    const { vault, committed } = await threeSnapshots();
    const { manifest, sha256 } = committed[1]!;
    const { sequence, snapshot, run, nonce, parent } = manifest;
    const tombstone = {
      formatVersion: 1,
      sequence,
      snapshot,
      run,
      nonce,
      sha256,
      parent,
      retiredAt: manifest.finishedAt,
      reason: 'x',
    };
    await vault.store.putNew(tombstoneKey(2), sealedBytes(tombstone));
    expect(await codes(vault, 'manifest')).toEqual([]);
    await vault.store.remove(snapshotKey(2));
    await vault.store.remove(outcomeKey(run));
    expect(await codes(vault, 'manifest')).toEqual([]);
    await vault.store.replace(tombstoneKey(2), sealedBytes({ ...tombstone, sha256: 'b'.repeat(64) }));
    expect(await codes(vault, 'manifest')).toEqual(['TOMBSTONE_UNREADABLE', 'CHAIN_BROKEN']);
    await vault.store.replace(tombstoneKey(2), Buffer.from('{}'));
    expect(await codes(vault, 'manifest')).toContain('TOMBSTONE_UNREADABLE');
  });
});

describe('verify at the level files', () => {
  it('finds a part that is gone, cut, or changed in one bit', async () => {
    const bytes = await parquet([row(A), row(B, '-2')]);
    const flipped = Uint8Array.from(bytes);
    flipped[40] = (flipped[40] ?? 0) ^ 1;
    expect(await codes((await vaultWith(bytes, { stored: flipped })).vault, 'files')).toEqual(['PART_HASH']);
    expect(await codes((await vaultWith(bytes, { stored: bytes.slice(1) })).vault, 'files')).toEqual(['PART_SIZE']);
    const { vault, key } = await vaultWith(bytes);
    await vault.store.remove(key);
    expect(await codes(vault, 'manifest')).toEqual([]);
    expect(await codes(vault, 'files')).toEqual(['PART_MISSING']);
  });
});

describe('verify at the level rows', () => {
  it('finds what the hash cannot show: that the manifest tells something else than the file', async () => {
    const good = await parquet([row(A), row(B, '-2')]);
    const not = (statistics: Partial<PartEntry['columns']>) => ({
      part: { columns: { ...STATISTICS, ...statistics } as PartEntry['columns'] },
    });
    const cases: [Uint8Array, Parameters<typeof vaultWith>[1], string[]][] = [
      [Buffer.from('PAR1 this is no file PAR1'), {}, ['PARQUET_UNREADABLE']],
      [good, { part: { rows: 3 } }, ['ROW_COUNT']],
      [good, not({ Amount: { nulls: 1 } }), ['NULL_COUNT']],
      [good, not({ Amount: { nulls: 0, min: '-2.01' } }), ['COLUMN_RANGE']],
      [good, not({ Moment: { nulls: 0, max: '2026-01-02T03:04:05.000007Z' } }), ['COLUMN_RANGE']],
      [good, not({ Raw: { nulls: 0, max: 'AA02' } }), ['COLUMN_RANGE']],
      [good, not({ Rate: { nulls: 0, min: '0' } }), ['COLUMN_RANGE']],
      [good, { part: { lastKey: [C] } }, ['KEY_RANGE']],
      [await parquet([row(A), row(A, '-2')]), { part: { lastKey: [A], columns: {} } }, ['KEY_DUPLICATE']],
      [await parquet([row(A), row(null, '-2')]), { part: { lastKey: [A], columns: {} } }, ['KEY_NULL']],
      [await parquet([row(A), row(B)], 'Id, Amount, Moment, Rate'), {}, ['PARQUET_SCHEMA']],
      [await parquet([row(A), row(B)], 'Id, Amount, Moment, Raw AS Rate, Raw'), {}, ['PARQUET_SCHEMA']],
      [await parquet([row(A), row(B)], 'Id, Moment, Amount, Rate, Raw'), {}, ['PARQUET_SCHEMA']],
    ];
    for (const [bytes, change, expected] of cases) {
      const { vault } = await vaultWith(bytes, change);
      expect(await codes(vault, 'files')).toEqual([]);
      expect(await codes(vault)).toEqual(expected);
    }
  });

  it('finds a key that two parts of a table share', async () => {
    const vault = await memoryVault();
    const run = runId();
    const parts = [];
    for (const [n, rows] of [
      [row(A), row(B)],
      [row(B), row(C)],
    ].entries()) {
      const bytes = await parquet(rows);
      const key = partKey('Gen_Documents', run, n, sha256Hex(bytes));
      await vault.store.putNew(key, bytes);
      parts.push(partEntry({ key, run, rows: 2, bytes: bytes.byteLength, sha256: sha256Hex(bytes) }));
    }
    const table = tableEntry(parts, { schema: { columns: COLUMNS, key: ['Id'] } });
    await commitSnapshot(vault, draft({ run, snapshot: run, tables: [table] }), deps);
    const { findings } = await verifyVault(vault, { level: 'rows' });
    expect(findings).toMatchObject([
      { code: 'KEY_DUPLICATE', object: 'Gen_Documents', message: expect.stringContaining(B) },
    ]);
  });

  it('cannot be misled by table, column and file names made of SQL', async () => {
    const name = `x" FROM y; --'`;
    const bytes = await parquet([row(A), row(B)], `Id AS "${name.replaceAll('"', '""')}"`);
    const columns = [{ ...COLUMNS[0]!, name }];
    const folder = join(local, "it's a [vault]*");
    const { vault } = await vaultWith(bytes, {
      store: createFolderStore(folder),
      part: { columns: { [name]: { nulls: 0, min: A, max: B } } },
      table: { name, schema: { columns, key: [name] } },
    });
    expect(await codes(vault)).toEqual([]);
  });
});

describe('ls, show and paths', () => {
  it('list the snapshots, tell one, and name the files of a table', async () => {
    const folder = join(local, 'listed');
    const { vault, key, run } = await vaultWith(await parquet([row(A), row(B)]), { store: createFolderStore(folder) });
    await commitSnapshot(vault, draft({ complete: false }), deps);
    const list = await listSnapshots(vault, { nowMs: NOW + 27 * HOUR });
    expect(list.snapshots).toMatchObject([
      { sequence: 1, snapshot: run, complete: true, rows: 2, tables: 1 },
      { sequence: 2, complete: false },
    ]);
    expect(list.newestComplete).toBe(run);
    expect(staleness(list, 27 * HOUR, 'v')).toBeUndefined();
    expect(staleness(list, 26 * HOUR, 'v')).toMatchObject({ code: 'VAULT_STALE', exitCode: 6 });
    expect(staleness(await listSnapshots(vault, { nowMs: NOW - HOUR }), 26 * HOUR, 'v')?.message).toMatch(
      /later than now/,
    );
    expect((await showSnapshot(vault, run)).manifest.tables[0]?.name).toBe('Gen_Documents');
    const { paths } = await tablePaths(vault, 'Gen_Documents', { snapshot: '1' });
    expect(paths).toEqual([join(folder, ...key.split('/'))]);
    await expect(tablePaths(vault, 'Gen_Document', { snapshot: run })).rejects.toMatchObject({
      code: 'TABLE_UNKNOWN',
      message: expect.stringContaining('near names: Gen_Documents'),
    });
    await expect(showSnapshot(vault, '7')).rejects.toMatchObject({ code: 'USAGE' });
    // An unreadable newest manifest never lets an older snapshot pass for it.
    await writeFile(join(folder, snapshotKey(2)), '{');
    const damaged = await listSnapshots(vault, { nowMs: NOW });
    expect(damaged).toMatchObject({
      newestComplete: null,
      snapshots: [{ sequence: 1 }],
      unreadable: [{ sequence: 2 }],
    });
    expect(staleness(damaged, HOUR, 'v')).toMatchObject({ code: 'VAULT_CORRUPT', exitCode: 7 });
    await expect((await openVaultReader(folder)).listSnapshots()).rejects.toMatchObject({ code: 'VAULT_CORRUPT' });
    await expect(showSnapshot(vault, 'latest')).rejects.toMatchObject({ code: 'VAULT_CORRUPT' });
    await unlink(join(folder, 'vault.json'));
    await expect(openVault(createFolderStore(folder))).rejects.toMatchObject({ code: 'VAULT_NOT_FOUND' });
  });

  it('list the sound snapshots where an older manifest is damaged, and judge by the newest', async () => {
    const vault = await memoryVault();
    for (let n = 0; n < 3; n += 1) {
      const run = runId();
      await commitSnapshot(vault, draft({ run, snapshot: run }), deps);
    }
    await vault.store.replace(snapshotKey(2), Buffer.from('{'));
    const list = await listSnapshots(vault, { nowMs: NOW });
    expect(list).toMatchObject({
      snapshots: [{ sequence: 1 }, { sequence: 3 }],
      unreadable: [{ sequence: 2, message: expect.stringContaining(snapshotKey(2)) }],
    });
    expect(list.newestComplete).toBe(list.snapshots[1]?.snapshot);
    expect(staleness(list, 24 * HOUR, 'v')).toBeUndefined();
    expect(damage(list, 'v')).toMatchObject({
      code: 'VAULT_CORRUPT',
      hint: expect.stringContaining('copy of the vault'),
    });
    for (const sequence of [1, 3]) await vault.store.replace(snapshotKey(sequence), Buffer.from('{'));
    await expect(listSnapshots(vault, { nowMs: NOW })).rejects.toMatchObject({ code: 'VAULT_CORRUPT' });
  });

  it('call a vault stale whose only snapshot is narrowed, and say so', async () => {
    const vault = await memoryVault();
    await commitSnapshot(vault, draft({ selection: { narrowed: ['Gen_*'] } }), deps);
    expect(staleness(await listSnapshots(vault, { nowMs: NOW }), HOUR, 'v')).toMatchObject({
      code: 'VAULT_STALE',
      message: expect.stringContaining('narrowed by --tables'),
      hint: expect.stringContaining('without --tables'),
    });
  });

  it('call a vault without a complete snapshot stale', async () => {
    const vault = await memoryVault();
    expect(staleness(await listSnapshots(vault, { nowMs: NOW }), HOUR, 'v')).toMatchObject({ code: 'VAULT_STALE' });
  });
});

describe('verify by a sample', () => {
  async function manyParts(count: number) {
    const vault = await memoryVault();
    const run = runId();
    const parts: PartEntry[] = [];
    for (let n = 0; n < count; n += 1) {
      const content = randomBytes(10);
      const sha256 = sha256Hex(content);
      const key = partKey('Gen_Documents', run, n, sha256);
      await vault.store.putNew(key, content);
      parts.push(partEntry({ key, run, bytes: 10, sha256 }));
    }
    await commitSnapshot(vault, draft({ run, snapshot: run, tables: [tableEntry(parts)] }), deps);
    return { vault, parts };
  }

  it('checks the share that was asked for, each part at most once, and finds all damage with time', async () => {
    const { vault, parts } = await manyParts(20);
    await vault.store.remove(parts[7]!.key);
    const sample = { percent: 25, clock: testClock(), random: Math.random };
    const report = await verifyVault(vault, { level: 'files', sample });
    expect(report.sampled).toEqual({ parts: 5, of: 20 });
    expect(report.checked.parts).toBe(5);
    const whole = await verifyVault(vault, { level: 'files', sample: { ...sample, percent: 100 } });
    expect(whole.findings).toMatchObject([{ code: 'PART_MISSING', object: parts[7]!.key }]);
    expect(whole.checked.bytes).toBe(190);
  });

  it('stops when its time is over, and is for level files', async () => {
    const { vault } = await manyParts(20);
    let now = 0;
    const clock = { ...testClock(), now: () => (now += 10) };
    const report = await verifyVault(vault, { level: 'files', sample: { withinMs: 55, clock, random: Math.random } });
    expect(report.sampled).toEqual({ parts: 5, of: 20 });
    const rows = verifyVault(vault, { level: 'rows', sample: { percent: 1, clock, random: Math.random } });
    await expect(rows).rejects.toMatchObject({ code: 'USAGE' });
  });
});
