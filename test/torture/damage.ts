/**
 * (c) Flips, cuts, deletions and swaps of stored objects: verify finds each at the level that docs/reliability.md names for the object, and
 * says nothing of a sound vault.
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { sha256Hex } from '../../src/core/digest.ts';
import { asTablevaultError } from '../../src/core/errors.ts';
import { pruneVault } from '../../src/run/vault/prune.ts';
import { type VerifyLevel, verifyVault } from '../../src/run/vault/verify.ts';
import type { Store } from '../../src/storage/store.ts';
import { readCatalog } from '../../src/vault/chain/catalog.ts';
import { entryOfManifest } from '../../src/vault/chain/entry.ts';
import type { TableEntry } from '../../src/vault/chain/manifest.ts';
import { readPlaces } from '../../src/vault/chain/places.ts';
import { indexCommitted } from '../../src/vault/chain/write-index.ts';
import { commitSnapshot } from '../../src/vault/commit/commit.ts';
import { beginRun } from '../../src/vault/commit/run.ts';
import { partKey } from '../../src/vault/layout.ts';
import { openVault } from '../../src/vault/open.ts';
import { readNewestComplete } from '../../src/vault/snapshots.ts';
import { draft, partEntry, runId, SERIES, tableEntry } from '../unit/vault/support.ts';
import { type Budget, type Figures, tally } from './lib/figures.ts';
import { QUICK, quickClock } from './lib/mini-run.ts';
import { type Random, random } from './lib/random.ts';
import { contentOf } from './lib/wrap-store.ts';

const SCHEMA: TableEntry['schema'] = {
  columns: [{ name: 'Id', edmType: 'Edm.Guid', type: { kind: 'guid' }, nullable: false, parquetType: 'VARCHAR' }],
  key: ['Id'],
};

/** A vault with real Parquet parts, some of them shared, a retired and swept snapshot, one in its grace, and an unfinished run. */
async function soundVault(store: Store, seed: number): Promise<void> {
  const rng = random(seed);
  const folder = await mkdtemp(join(tmpdir(), 'tablevault-damage-'));
  const duck = await DuckDBInstance.create(':memory:');
  const connection = await duck.connect();
  const deps = { clock: quickClock(Date.now), persistence: QUICK };
  try {
    const vault = await openVault(store, { write: true, tool: 'torture' });
    for (let n = 0; n < 4; n += 1) {
      const run = runId();
      const base = await readNewestComplete(vault, await readCatalog(vault), SERIES);
      const tables: TableEntry[] = [];
      for (const name of ['A', 'B', 'C']) {
        const before = base?.manifest.tables.find((table) => table.name === name);
        if (before !== undefined && rng.chance(0.4)) {
          tables.push(before);
          continue;
        }
        const keys = Array.from({ length: 3 }, () => guid(rng)).sort();
        const path = join(folder, `${run}-${name}.parquet`);
        const rows = keys.map((key) => `('${key}')`).join(', ');
        await connection.run(`COPY (SELECT * FROM (VALUES ${rows}) v(Id)) TO '${path}' (FORMAT parquet)`);
        const bytes = await readFile(path);
        const sha256 = sha256Hex(bytes);
        const key = partKey(name, run, n, sha256);
        await store.putNew(key, bytes);
        const columns = { Id: { nulls: 0, min: keys[0]!, max: keys[2]! } };
        const part = partEntry({ key, run, rows: 3, bytes: bytes.byteLength, sha256, columns });
        tables.push(tableEntry([part], { name, schema: SCHEMA }));
      }
      const before = { catalog: await readCatalog(vault), abandoned: new Set<string>() };
      const { manifest, sha256 } = await commitSnapshot(vault, draft({ run, snapshot: run, tables }), deps);
      await indexCommitted(vault, before, entryOfManifest(manifest, sha256));
      const policy = { keepLast: n + 1 };
      if (n === 2) await pruneVault(vault, { policy: { keepLast: 1 }, dryRun: false, graceMs: 0 }, deps);
      else await pruneVault(vault, { policy, dryRun: false }, deps);
    }
    await pruneVault(vault, { policy: { keepLast: 1 }, dryRun: false, graceMs: 3_600_000 }, deps);
    const catalog = await readCatalog(vault);
    const newest = await readNewestComplete(vault, catalog, SERIES);
    const last = await commitSnapshot(vault, draft({ tables: newest?.manifest.tables ?? [] }), deps);
    await indexCommitted(vault, { catalog, abandoned: new Set() }, entryOfManifest(last.manifest, last.sha256));
    const unfinished = runId();
    await beginRun(
      vault,
      {
        run: unfinished,
        pipeline: 'p',
        database: 'd',
        narrowed: null,
        planHash: sha256Hex('x'),
        after: 0,
        plan: null,
        tool: 't',
      },
      deps,
    );
  } finally {
    connection.closeSync();
    duck.closeSync();
    await rm(folder, { recursive: true });
  }
}

const guid = (rng: Random): string =>
  Buffer.from(rng.bytes(16))
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');

/** The level at which damage to an object must be found; undefined where nothing depends on the object. docs/reliability.md has the same table. */
function levelOf(key: string, needed: ReadonlySet<string>): VerifyLevel | undefined {
  if (key === 'vault.json' || /^(snapshots|tombstones)\//.test(key)) return 'manifest';
  if (key.endsWith('/outcome.json')) return 'manifest';
  return needed.has(key) ? 'files' : undefined;
}

type Damage = 'flip' | 'cut' | 'delete' | 'swap';

export async function tortureDamage(
  name: string,
  open: () => Promise<{ readonly store: Store; readonly end: () => Promise<void> }>,
  budget: Budget,
): Promise<Figures> {
  const figures = tally(name, ['missed', 'false alarms'], budget);
  const kinds: Record<Damage, number> = { flip: 0, cut: 0, delete: 0, swap: 0 };
  const { store, end } = await open();
  let clean = 0;
  try {
    await soundVault(store, budget.seed);
    const rng = random(budget.seed);
    const vault = await openVault(store);
    const needed = await neededBy(store);
    const sound = await contentOf(store);
    // Manifests of retired snapshots in their grace are not read by anybody; their tombstones are.
    const retired = new Set(
      [...sound.keys()].filter((key) => key.startsWith('tombstones/')).map((key) => key.slice(11)),
    );
    const targets = [...sound.keys()]
      .filter((key) => levelOf(key, needed.parts) !== undefined)
      .filter((key) => !(key.startsWith('snapshots/') && retired.has(key.slice(10))))
      .filter((key) => !key.endsWith('/outcome.json') || needed.runs.has(key));
    // Without its tombstone a retired snapshot that was not swept yet is simply back, with all of its parts.
    const revives = (key: string) => key.startsWith('tombstones/') && sound.has(`snapshots/${key.slice(11)}`);
    while (figures.more()) {
      const damage = rng.pick<Damage>(['flip', 'cut', 'delete', 'swap']);
      const key = rng.pick(damage === 'delete' ? targets.filter((each) => !revives(each)) : targets);
      const level = levelOf(key, needed.parts)!;
      const touched = await doDamage(store, sound, damage, key, targets, rng);
      const found = await problemsOf(store, level);
      const where = `seed ${budget.seed}, ${figures.faults.length}: ${damage} of ${key} at level ${level}`;
      if (found === 0) figures.bad('missed', where);
      for (const each of touched) await store.replace(each, sound.get(each)!);
      kinds[damage] += 1;
      const report = await verifyVault(vault, {
        level: rng.pick<VerifyLevel>(['manifest', 'files', clean % 20 === 0 ? 'rows' : 'files']),
      });
      clean += 1;
      for (const { code, object, message } of report.findings)
        figures.bad('false alarms', `${where}, mended: ${code} ${object}: ${message}`);
      figures.done();
    }
  } finally {
    await end();
  }
  const { flip, cut, swap } = kinds;
  return figures.figures(`${flip} flips, ${cut} cuts, ${kinds.delete} deletions, ${swap} swaps; ${clean} clean checks`);
}

/** Parts of the newest snapshot, and the outcomes of live snapshots. */
async function neededBy(store: Store): Promise<{ parts: ReadonlySet<string>; runs: ReadonlySet<string> }> {
  const vault = await openVault(store);
  const newest = await readNewestComplete(vault, await readCatalog(vault), SERIES);
  const parts = new Set(newest?.manifest.tables.flatMap((table) => table.parts.map(({ key }) => key)));
  const { readStoredManifest } = await import('../../src/vault/vault.ts');
  const runs = new Set<string>();
  for (const sequence of (await readPlaces(vault)).live) {
    runs.add(`runs/${(await readStoredManifest(vault, sequence)).manifest.run}/outcome.json`);
  }
  return { parts, runs };
}

/** Returns the objects that are not as they were. */
async function doDamage(
  store: Store,
  sound: ReadonlyMap<string, Uint8Array>,
  damage: Damage,
  key: string,
  targets: readonly string[],
  rng: Random,
): Promise<readonly string[]> {
  const bytes = Uint8Array.from(sound.get(key)!);
  switch (damage) {
    case 'flip': {
      const at = rng.below(bytes.length);
      bytes[at] = bytes[at]! ^ (1 << rng.below(8));
      await store.replace(key, bytes);
      return [key];
    }
    case 'cut':
      await store.replace(key, bytes.subarray(0, rng.chance(0.3) ? bytes.length - 1 : rng.below(bytes.length)));
      return [key];
    case 'delete':
      await store.remove(key);
      return [key];
    case 'swap': {
      const folder = key.slice(0, key.indexOf('/') + 1);
      const same = targets.filter((each) => each !== key && each.startsWith(folder));
      const other = rng.pick(same.length > 0 && rng.chance(0.8) ? same : targets.filter((each) => each !== key));
      await store.replace(key, sound.get(other)!);
      await store.replace(other, bytes);
      return [key, other];
    }
  }
}

/** Findings of a check by somebody who comes anew; an error that says the vault is damaged counts as one. */
async function problemsOf(store: Store, level: VerifyLevel): Promise<number> {
  try {
    return (await verifyVault(await openVault(store), { level, all: true })).findings.length;
  } catch (error) {
    return ['VAULT_CORRUPT', 'VAULT_NOT_FOUND'].includes(asTablevaultError(error).code) ? 1 : 0;
  }
}
