/** `repair`: finds what is damaged, finishes begun commits, puts damaged parts aside. */
import type { Clock } from '../../core/clock.ts';
import type { Emit } from '../../core/events.ts';
import type { CallOptions } from '../../storage/store.ts';
import { makeTemporaryFolder } from '../../storage/temporary-folder.ts';
import { readCatalog } from '../../vault/chain/catalog.ts';
import type { TableEntry } from '../../vault/chain/manifest.ts';
import { verifyChain } from '../../vault/check-chain.ts';
import { judgePart } from '../../vault/check-parts.ts';
import { finishCommits } from '../../vault/commit/recover.ts';
import type { KnownPart } from '../../vault/copy-part.ts';
import { collectFindings, type Finding, type Unjudged } from '../../vault/findings.ts';
import { type Left, moveAside } from '../../vault/quarantine.ts';
import type { Vault } from '../../vault/vault.ts';
import { readIfLive } from '../../vault/vault.ts';

/** A part that is not what manifests say, and who needs it. */
export interface BrokenPart {
  readonly key: string;
  readonly table: string;
  readonly finding: Finding;
  /** What the manifests say of it. */
  readonly stated: Omit<KnownPart, 'key'>;
  /** Sequences of live snapshots that name it. */
  readonly snapshots: readonly number[];
  /** Bytes are there, and can be put into quarantine. */
  readonly present: boolean;
}

export interface RepairPlan {
  readonly broken: readonly BrokenPart[];
  /** Parts that could not be read, by a fault of the disk, a limit, or a right. They may be sound, and are left where they are. */
  readonly unjudged: readonly Unjudged[];
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
  /** Parts of the plan that were not moved, since they were no longer what was found: sound, gone, changed, or not to be read. */
  readonly left: readonly (Left & { readonly key: string })[];
}

/** Looks at every part of every live snapshot, each once. Changes nothing. */
export async function planRepair(vault: Vault, call: CallOptions & { readonly emit?: Emit } = {}): Promise<RepairPlan> {
  const chainFindings = collectFindings();
  const catalog = await readCatalog(vault, call);
  const { unreadable } = await verifyChain(vault, catalog, chainFindings, { signal: call.signal, all: true });
  const parts = new Map<string, { table: TableEntry; part: KnownPart; snapshots: number[] }>();
  let newest: { readonly tables: readonly TableEntry[] } | undefined;
  for (const sequence of catalog.live.filter((each) => !unreadable.has(each))) {
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
  const unjudged: Unjudged[] = [];
  for (const [key, { table, part, snapshots }] of parts) {
    call.signal?.throwIfAborted();
    const verdict = await judgePart(vault, part, { signal: call.signal, copyTo: undefined });
    if (verdict.kind === 'sound') continue;
    const { code, message } = verdict.kind === 'damaged' ? verdict : verdict.fault;
    call.emit?.({ type: 'warning', table: table.name, message: `${key}: ${message}` });
    if (verdict.kind === 'unjudged') {
      unjudged.push({ code: verdict.fault.code, object: key, message });
      continue;
    }
    const finding = { code: verdict.code, object: key, message };
    const stated = { bytes: part.bytes, sha256: part.sha256 };
    broken.push({ key, table: table.name, finding, stated, snapshots, present: code !== 'PART_MISSING' });
  }
  const bad = new Set(broken.map(({ key }) => key));
  const rereads = (newest?.tables ?? []).filter((table) => table.parts.some(({ key }) => bad.has(key)));
  return { broken, unjudged, beyond: chainFindings.list, rereads: rereads.map(({ name }) => name) };
}

/**
 * Moves damaged parts out of the way, each judged again directly before: a copy below `quarantine/` first, read back and compared, then the
 * part goes. Snapshots that need it then say so plainly (`PART_MISSING`); the next snapshot reads the tables again. A part that is sound by
 * now, or cannot be judged, stays where it is, and keeps no other from being moved.
 */
export async function applyRepair(
  vault: Vault,
  plan: RepairPlan,
  deps: CallOptions & { readonly clock: Clock; readonly emit?: Emit },
): Promise<RepairReport> {
  const { signal } = deps;
  const quarantined: string[] = [];
  const left: (Left & { readonly key: string })[] = [];
  const temporary = await makeTemporaryFolder('repair');
  try {
    if (plan.beyond.length === 0) await finishCommits(vault, deps);
    for (const { key, stated, present } of plan.broken) {
      if (!present) continue;
      signal?.throwIfAborted();
      const moved = await moveAside(vault, { key, ...stated }, temporary.path, { signal });
      if (moved.kind === 'moved') quarantined.push(moved.to);
      else left.push({ key, state: moved.state, why: moved.why });
    }
  } finally {
    await temporary.remove();
  }
  return { ...plan, dryRun: false, applied: true, quarantined, left };
}
