/** `repair`: finds what is damaged, finishes begun commits, puts damaged parts aside. */
import type { Clock } from '../../core/clock.ts';
import { sha256Hex } from '../../core/digest.ts';
import { TablevaultError } from '../../core/errors.ts';
import type { Emit } from '../../core/events.ts';
import { getIfPresent, putIfAbsent } from '../../storage/conditional.ts';
import type { CallOptions } from '../../storage/store.ts';
import type { PartEntry, TableEntry } from '../../vault/chain/manifest.ts';
import { verifyChain } from '../../vault/check-chain.ts';
import { verifyParts } from '../../vault/check-parts.ts';
import { finishCommits } from '../../vault/commit/recover.ts';
import { collectFindings, type Finding } from '../../vault/findings.ts';
import { quarantineKey } from '../../vault/layout.ts';
import type { Vault } from '../../vault/vault.ts';
import { readChain, readIfLive } from '../../vault/vault.ts';

/** A part that is not what manifests say, and who needs it. */
export interface BrokenPart {
  readonly key: string;
  readonly table: string;
  readonly finding: Finding;
  /** Sequences of live snapshots that name it. */
  readonly snapshots: readonly number[];
  /** Bytes are there, and can be put into quarantine. */
  readonly present: boolean;
}

export interface RepairPlan {
  readonly broken: readonly BrokenPart[];
  /** Damage to manifests and the like, which only a copy of the vault can mend. */
  readonly beyond: readonly Finding[];
  /** Tables of the newest complete snapshot that a new snapshot has to read again. */
  readonly rereads: readonly string[];
}

export interface RepairReport extends RepairPlan {
  /** Nothing was changed. */
  readonly dryRun: boolean;
  /** The opposite of `dryRun`: its name until 0.1.0. */
  readonly applied: boolean;
  /** Keys in quarantine. */
  readonly quarantined: readonly string[];
}

/** Looks at every part of every live snapshot, each once. Changes nothing. */
export async function planRepair(vault: Vault, call: CallOptions & { readonly emit?: Emit } = {}): Promise<RepairPlan> {
  const chainFindings = collectFindings();
  const { unreadable } = await verifyChain(vault, chainFindings, call);
  const parts = new Map<string, { table: TableEntry; part: PartEntry; snapshots: number[] }>();
  let newest: { readonly tables: readonly TableEntry[] } | undefined;
  for (const sequence of (await readChain(vault, call)).live.filter((each) => !unreadable.has(each))) {
    const found = await readIfLive(vault, sequence, call);
    if (found === undefined) continue;
    if (found.manifest.complete) newest = found.manifest;
    for (const table of found.manifest.tables) {
      for (const part of table.parts) {
        const known = parts.get(part.key);
        if (known === undefined) parts.set(part.key, { table, part, snapshots: [sequence] });
        else known.snapshots.push(sequence);
      }
    }
  }
  const broken: BrokenPart[] = [];
  for (const [key, { table, part, snapshots }] of parts) {
    const findings = collectFindings();
    await verifyParts(vault, { ...table, parts: [part] }, findings, { signal: call.signal, copyTo: undefined });
    const [finding] = findings.list;
    if (finding === undefined) continue;
    broken.push({ key, table: table.name, finding, snapshots, present: finding.code !== 'PART_MISSING' });
    call.emit?.({ type: 'warning', table: table.name, message: `${key}: ${finding.message}` });
  }
  const bad = new Set(broken.map(({ key }) => key));
  const rereads = (newest?.tables ?? []).filter((table) => table.parts.some(({ key }) => bad.has(key)));
  return { broken, beyond: chainFindings.list, rereads: rereads.map(({ name }) => name) };
}

/**
 * Moves damaged parts out of the way: a copy below `quarantine/` first, read back and compared, then the part goes. Snapshots that need it
 * then say so plainly (`PART_MISSING`); the next snapshot reads the tables again. Sound objects are never touched.
 */
export async function applyRepair(
  vault: Vault,
  plan: RepairPlan,
  deps: CallOptions & { readonly clock: Clock; readonly emit?: Emit },
): Promise<RepairReport> {
  const { signal } = deps;
  if (plan.beyond.length === 0) await finishCommits(vault, deps);
  const quarantined: string[] = [];
  for (const { key, present } of plan.broken) {
    if (!present) continue;
    signal?.throwIfAborted();
    const copy = await quarantine(vault, key, { signal });
    await vault.store.remove(key, { signal });
    quarantined.push(copy);
  }
  return { ...plan, dryRun: false, applied: true, quarantined };
}

async function quarantine(vault: Vault, key: string, call: CallOptions): Promise<string> {
  const bytes = await vault.store.get(key, { ...call, maxBytes: Number.MAX_SAFE_INTEGER });
  const to = quarantineKey(key, sha256Hex(bytes));
  await putIfAbsent(vault.store, to, bytes, call);
  // Whatever the store answered: the original goes only when the copy can be read.
  const copy = await getIfPresent(vault.store, to, { ...call, maxBytes: Number.MAX_SAFE_INTEGER });
  if (copy !== undefined && Buffer.from(bytes).equals(copy)) return to;
  throw new TablevaultError('VAULT_CORRUPT', `the copy of ${key} in quarantine does not have its bytes`, {
    at: { object: to },
    hint: 'Nothing was removed. The store or the disk is faulty: look at that first.',
  });
}
