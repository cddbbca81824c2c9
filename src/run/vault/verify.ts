/** `verify`: checks a vault at three levels and changes nothing in it. */
import type { KeyObject } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { Clock } from '../../core/clock.ts';
import { hasCode, TablevaultError } from '../../core/errors.ts';
import type { Emit } from '../../core/events.ts';
import { makeTemporaryFolder } from '../../storage/temporary-folder.ts';
import { type Catalog, readCatalog } from '../../vault/chain/catalog.ts';
import type { ChainEntry } from '../../vault/chain/entry.ts';
import type { Manifest } from '../../vault/chain/manifest.ts';
import { verifyChain } from '../../vault/check-chain.ts';
import { verifyParts } from '../../vault/check-parts.ts';
import { collectFindings, type Finding, type Findings, type Unjudged } from '../../vault/findings.ts';
import { snapshotKey, tombstoneKey } from '../../vault/layout.ts';
import { findSnapshot } from '../../vault/snapshots.ts';
import { readIfLive, type Vault } from '../../vault/vault.ts';
import type { RowChecker } from './verify-rows.ts';

/** Each level includes those before it. */
export type VerifyLevel = 'manifest' | 'files' | 'rows';

export interface VerifyOptions {
  /** Id, sequence, date or `latest` (the default): whose manifest and parts are checked. */
  readonly snapshot?: string | undefined;
  /** The series that `latest` and dates look at. Default: the only one that there is. */
  readonly pipeline?: string | undefined;
  /** Read every manifest and tombstone of the chain, not only what the index does not hold. Default false; true with `publicKeys`. */
  readonly all?: boolean | undefined;
  readonly level: VerifyLevel;
  readonly signal?: AbortSignal | undefined;
  readonly emit?: Emit;
  /** At level files: only some parts, drawn at random, of all tables. Default: all. */
  readonly sample?: VerifySample | undefined;
  /** Every manifest of the chain must be signed with one of these keys (Ed25519). Default: signatures are not looked at. */
  readonly publicKeys?: readonly KeyObject[] | undefined;
  /** Memory for the checks of rows, megabytes; what does not fit is spilled to a temporary folder. Default 512. */
  readonly memoryMb?: number;
}

export interface VerifySample {
  /** Of the parts, more than 0 and at most 100. */
  readonly percent?: number | undefined;
  /** Stop after this time, milliseconds. */
  readonly withinMs?: number | undefined;
  readonly clock: Clock;
  /** From 0 to below 1. */
  readonly random: () => number;
}

export interface VerifyReport {
  /** No findings, and everything that was to be checked could be judged. */
  readonly ok: boolean;
  readonly level: VerifyLevel;
  /** The snapshot whose parts were checked; null when there is none or its manifest cannot be read. */
  readonly snapshot: string | null;
  readonly sequence: number | null;
  readonly findings: readonly Finding[];
  /** Things to know that are no damage, e.g. a commit that the next run will finish. */
  readonly notices: readonly Finding[];
  /** Parts that could not be read, by a fault of the disk, a limit, or a right: no damage is shown, and no soundness. */
  readonly unjudged: readonly Unjudged[];
  /** Parts there are and parts that were drawn, when only a sample was checked. */
  readonly sampled: { readonly parts: number; readonly of: number } | null;
  readonly checked: Readonly<Record<'snapshots' | 'tombstones' | 'tables' | 'parts' | 'bytes' | 'rows', number>>;
}

/**
 * Checks a vault and changes nothing in it.
 *
 * - `manifest`: every manifest parses, agrees with itself, with its place, with the outcome of its run, and names the hash of the
 *   one before; every sequence is there or has a tombstone; with keys, every manifest is signed.
 * - `files`: every part of the snapshot is there with its size and SHA-256.
 * - `rows`: every part parses as Parquet with the columns and types, row and null counts, least and greatest values of the
 *   manifest; keys are never null, unique in the table, and within their part's range.
 *
 * @throws TablevaultError when the vault cannot be asked (unreachable, denied), or `USAGE` for an unknown snapshot. Damage is
 * never thrown: it is a finding.
 */
export async function verifyVault(vault: Vault, options: VerifyOptions): Promise<VerifyReport> {
  if (options.sample !== undefined && options.level !== 'files') {
    throw new TablevaultError('USAGE', 'only level files can be checked by a sample', {
      hint: 'Leave the sample out, or say --level files.',
    });
  }
  const findings = collectFindings();
  let sampled: VerifyReport['sampled'] = null;
  const { signal, publicKeys } = options;
  const catalog = await readCatalog(vault, { signal });
  const entry = await chosenEntry(vault, catalog, options, findings);
  const all = options.all === true || publicKeys !== undefined;
  const chain = await verifyChain(vault, catalog, findings, { signal, publicKeys, all, chosen: entry?.sequence });
  const manifest = entry === undefined ? undefined : await readable(vault, entry, chain.unreadable, signal);
  if (manifest !== undefined && options.level !== 'manifest') {
    const deeper = collectFindings(findings.checked);
    if (options.sample === undefined) await verifyTables(vault, manifest, options, deeper);
    else sampled = await verifySample(vault, manifest, options.sample, deeper, options.signal);
    const retired =
      deeper.list.length + deeper.unjudged.length > 0 &&
      (await vault.store.head(tombstoneKey(manifest.sequence), options)) !== undefined;
    if (retired)
      findings.notice('SNAPSHOT_RETIRED', snapshotKey(manifest.sequence), 'it was pruned while it was checked');
    else {
      findings.list.push(...deeper.list);
      findings.unjudged.push(...deeper.unjudged);
    }
  }
  return {
    ok: findings.list.length + findings.unjudged.length === 0,
    level: options.level,
    snapshot: manifest?.snapshot ?? null,
    sequence: manifest?.sequence ?? null,
    findings: findings.list,
    notices: findings.notices,
    unjudged: findings.unjudged,
    sampled,
    checked: { ...findings.checked },
  };
}

/** The snapshot to check further. Where `latest` cannot be told for damage, the newest that can be read stands for it. */
async function chosenEntry(
  vault: Vault,
  catalog: Catalog,
  options: VerifyOptions,
  findings: Findings,
): Promise<ChainEntry | undefined> {
  const { snapshot = 'latest', pipeline, level, signal } = options;
  if (catalog.live.length === 0 && snapshot === 'latest') {
    findings.add('VAULT_EMPTY', vault.store.uri, 'the vault holds no snapshot');
    return undefined;
  }
  // The chain is of all series, and no part is looked at.
  if (snapshot === 'latest' && pipeline === undefined && level === 'manifest') return catalog.snapshots.at(-1);
  try {
    // One that is known to lack parts is checked all the same: its parts are what is wrong.
    return await findSnapshot(vault, { ...catalog, lacking: new Map() }, snapshot, { pipeline, signal });
  } catch (error) {
    if (catalog.unreadable.size === 0 || !hasCode(error, 'VAULT_CORRUPT', 'OBJECT_MISSING')) throw error;
    return snapshot === 'latest' ? catalog.snapshots.at(-1) : undefined;
  }
}

/** Its manifest; undefined when it cannot be read, which the check of the chain has found, or was retired meanwhile. */
async function readable(
  vault: Vault,
  entry: ChainEntry,
  unreadable: ReadonlySet<number>,
  signal: AbortSignal | undefined,
): Promise<Manifest | undefined> {
  if (unreadable.has(entry.sequence)) return undefined;
  try {
    return (await readIfLive(vault, entry.sequence, { signal }))?.manifest;
  } catch (error) {
    if (hasCode(error, 'VAULT_CORRUPT', 'OBJECT_MISSING')) return undefined;
    throw error;
  }
}

/** Parts drawn at random, each with its hash. */
async function verifySample(
  vault: Vault,
  manifest: Manifest,
  { percent = 100, withinMs = Number.POSITIVE_INFINITY, clock, random }: VerifySample,
  findings: Findings,
  signal: AbortSignal | undefined,
): Promise<VerifyReport['sampled']> {
  const all = manifest.tables.flatMap((table) => table.parts.map((part) => ({ ...table, parts: [part] })));
  const wanted = Math.ceil((all.length * percent) / 100);
  const endMs = clock.now() + withinMs;
  let parts = 0;
  while (parts < wanted && clock.now() < endMs) {
    // Drawn without putting back: the last takes the place of the one drawn.
    const at = Math.floor(random() * (all.length - parts));
    const drawn = all[at]!;
    all[at] = all[all.length - parts - 1]!;
    await verifyParts(vault, drawn, findings, { signal, copyTo: undefined });
    parts += 1;
  }
  return { parts, of: all.length };
}

async function verifyTables(
  vault: Vault,
  manifest: Manifest,
  options: VerifyOptions,
  findings: Findings,
): Promise<void> {
  // Rows are read from local files; whatever else is looked at needs none.
  const temporary = options.level === 'rows' ? await makeTemporaryFolder('verify') : undefined;
  const folder = temporary?.path;
  let rows: RowChecker | undefined;
  try {
    if (folder !== undefined) rows = await openRows(folder, options);
    for (const table of manifest.tables) {
      options.signal?.throwIfAborted();
      findings.checked.tables += 1;
      const files = await verifyParts(vault, table, findings, {
        signal: options.signal,
        copyTo: folder,
      });
      if (rows !== undefined) await rows.check(table, files, findings, options.signal);
      for (const file of files) if (file.temporary) await rm(file.path, { force: true });
      options.emit?.({ type: 'progress', table: table.name, rows: table.rows, bytes: table.bytes });
    }
  } finally {
    rows?.close();
    await temporary?.remove();
  }
}

/** Brings DuckDB, which the other levels do without. */
async function openRows(folder: string, { memoryMb = 512 }: VerifyOptions): Promise<RowChecker> {
  const { openRowChecker } = await import('./verify-rows.ts');
  return openRowChecker(folder, memoryMb);
}
