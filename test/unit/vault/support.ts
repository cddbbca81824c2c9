import { randomBytes } from 'node:crypto';
import type { Clock } from '../../../src/core/clock.ts';
import { sha256Hex } from '../../../src/core/digest.ts';
import { createMemoryStore } from '../../../src/storage/memory.ts';
import type { Store } from '../../../src/storage/store.ts';
import { entryOfManifest } from '../../../src/vault/chain/entry.ts';
import type { ManifestDraft, PartEntry, TableEntry } from '../../../src/vault/chain/manifest.ts';
import { indexCommitted } from '../../../src/vault/chain/write-index.ts';
import { type CommitDeps, type Committed, commitSnapshot } from '../../../src/vault/commit/commit.ts';
import { finishCommits } from '../../../src/vault/commit/recover.ts';
import { newRunId } from '../../../src/vault/layout.ts';
import { openVault } from '../../../src/vault/open.ts';
import type { Vault } from '../../../src/vault/vault.ts';

export const NOW = Date.UTC(2026, 10, 21, 2, 0, 0);

/** A clock that a test turns; whoever sleeps wakes when it is turned far enough, or at once with `hurry`. */
export function testClock(hurry = false) {
  let now = NOW;
  const sleepers = new Set<{ until: number; wake: () => void }>();
  const clock: Clock & { advance(ms: number): Promise<void> } = {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        if (hurry) {
          now += ms;
          setImmediate(resolve);
          return;
        }
        const onAbort = () => {
          sleepers.delete(sleeper);
          reject(signal?.reason);
        };
        const wake = () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        };
        const sleeper = { until: now + ms, wake };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', onAbort);
      }),
    async advance(ms) {
      const end = now + ms;
      for (;;) {
        const next = [...sleepers].filter((each) => each.until <= end).sort((a, b) => a.until - b.until)[0];
        if (next === undefined) break;
        sleepers.delete(next);
        now = next.until;
        next.wake();
        for (let i = 0; i < 20; i += 1) await new Promise((resolve) => setImmediate(resolve));
      }
      now = end;
    },
  };
  return clock;
}

export const runId = (): string => newRunId(NOW, () => randomBytes(4).toString('hex'));

export async function memoryVault(store: Store = createMemoryStore()) {
  return openVault(store, { write: true, tool: 'test' });
}

export function partEntry(values: Partial<PartEntry> & { readonly key: string; readonly run: string }): PartEntry {
  return {
    rows: 0,
    bytes: 0,
    sha256: sha256Hex(''),
    range: null,
    firstKey: null,
    lastKey: null,
    columns: {},
    ...values,
  };
}

export function tableEntry(parts: readonly PartEntry[], values: Partial<TableEntry> = {}): TableEntry {
  const sum = (of: (part: PartEntry) => number) => parts.reduce((total, part) => total + of(part), 0);
  return {
    name: 'Gen_Documents',
    schema: {
      columns: [{ name: 'Id', edmType: 'Edm.Guid', type: { kind: 'guid' }, nullable: false, parquetType: 'VARCHAR' }],
      key: ['Id'],
    },
    fingerprint: 'f'.repeat(64),
    typesProfile: 'portable',
    rows: sum((part) => part.rows),
    bytes: sum((part) => part.bytes),
    parts,
    strategy: 'single',
    consistency: 'exact',
    proof: null,
    window: { from: new Date(NOW).toISOString(), to: new Date(NOW).toISOString() },
    counts: { before: null, after: null, source: null },
    columnsLeftOut: [],
    warnings: [],
    requests: 1,
    ...values,
  };
}

/** Of the snapshots that `draft` makes. */
export const SERIES = { pipeline: 'nightly', database: 'demodb.my.erp.net' };

export function draft(values: Partial<ManifestDraft> = {}): ManifestDraft {
  const run = values.run ?? runId();
  const tables = values.tables ?? [];
  const parts = tables.flatMap((table) => table.parts);
  return {
    formatVersion: 1,
    snapshot: run,
    nonce: randomBytes(16).toString('hex'),
    run,
    pipeline: { name: 'nightly', sha256: '0'.repeat(64) },
    instance: { url: 'https://demodb.my.erp.net', version: '24.1', metadataSha256: '1'.repeat(64) },
    identity: { kind: 'service', describe: 'my.app/backup' },
    tool: { version: '0.1.0', formatVersion: 1 },
    complete: true,
    startedAt: new Date(NOW).toISOString(),
    finishedAt: new Date(NOW + 60_000).toISOString(),
    failed: [],
    totals: {
      tables: tables.length,
      rows: tables.reduce((sum, table) => sum + table.rows, 0),
      bytes: tables.reduce((sum, table) => sum + table.bytes, 0),
      parts: parts.length,
    },
    durationMs: 60_000,
    requests: 1,
    bytesReceived: 1,
    ...values,
    tables,
  };
}

/** Commits, and writes the index on, as a snapshot does. */
export async function commitAndIndex(vault: Vault, own: ManifestDraft, deps: CommitDeps): Promise<Committed> {
  const before = await finishCommits(vault, deps);
  const committed = await commitSnapshot(vault, own, deps);
  await indexCommitted(vault, before, entryOfManifest(committed.manifest, committed.sha256));
  return committed;
}

/** What a test lets go wrong with the n-th put (from 1). */
export type PutFault =
  /** The put is done, the answer is an error. */
  | 'lost-answer'
  /** Nothing is done, the answer is an error that may pass. */
  | 'lost-request'
  /** Nothing is done, the answer says it was. */
  | 'forged-success'
  /** The put is done, the answer is "exists". */
  | 'forged-exists'
  /** The put is done, the answer is "denied". */
  | 'forged-denied'
  /** Nothing is done, the answer is "denied". */
  | 'denied'
  /** The process dies before, or after, the put: nothing further reaches the store. */
  | 'kill-before'
  | 'kill-after';
