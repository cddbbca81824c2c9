/** Restores a snapshot: checks the manifest, copies and checks every part, fills the target, counts its rows. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TablevaultError } from '../../core/errors.ts';
import type { Emit } from '../../core/events.ts';
import { count, plural } from '../../core/words.ts';
import type { CallOptions } from '../../storage/store.ts';
import { makeTemporaryFolder } from '../../storage/temporary-folder.ts';
import { readCatalog } from '../../vault/chain/catalog.ts';
import type { Manifest, TableEntry } from '../../vault/chain/manifest.ts';
import { verifyChain } from '../../vault/check-chain.ts';
import { copyPart } from '../../vault/copy-part.ts';
import { collectFindings } from '../../vault/findings.ts';
import { outcomeKey, snapshotKey } from '../../vault/layout.ts';
import { readSnapshot } from '../../vault/snapshots.ts';
import type { Vault } from '../../vault/vault.ts';
import { tablesOf } from '../vault/tables.ts';
import { openDuckDbWriter } from './duckdb.ts';
import { openEngine } from './engine.ts';
import { openFolderWriter } from './folder.ts';
import { openPostgresWriter } from './postgres.ts';
import type { RestoreTarget } from './target.ts';
import type { RestoreWriter } from './writer.ts';

export interface RestoreOptions extends CallOptions {
  /** Id, sequence, date or `latest` (default). */
  readonly snapshot?: string;
  /** The series that `latest` and dates look at. Default: the only one that there is. */
  readonly pipeline?: string | undefined;
  readonly target: RestoreTarget;
  /** Globs; default all tables. */
  readonly tables?: readonly string[];
  readonly emit?: Emit;
  /** Memory of the conversion, megabytes. Default 512. */
  readonly memoryMb?: number;
}

export interface RestoreReport {
  readonly snapshot: string;
  readonly sequence: number;
  /** False when the snapshot lacks tables that failed. */
  readonly complete: boolean;
  readonly target: string;
  readonly tables: readonly { readonly name: string; readonly rows: number }[];
  readonly rows: number;
  readonly warnings: readonly string[];
}

/**
 * Restores a snapshot into an empty target. The manifest is checked against the chain first; every part is copied and its SHA-256 compared
 * before a row of it is used; the rows of each table are counted in the target.
 *
 * @throws TablevaultError `USAGE` for a target that holds something, `VAULT_CORRUPT` or `OBJECT_MISSING` for damage, `DESTINATION_*` of the
 * target. After these errors the target is as empty as before. `COMMIT_UNKNOWN` when PostgreSQL did not say whether it committed.
 */
export async function restoreSnapshot(vault: Vault, options: RestoreOptions): Promise<RestoreReport> {
  const { signal, target, emit, pipeline, memoryMb = 512 } = options;
  const { manifest } = await readSnapshot(vault, options.snapshot ?? 'latest', { signal, pipeline });
  const warnings = await refuseDamage(vault, manifest, { signal });
  const tables = options.tables === undefined ? manifest.tables : tablesOf(manifest, options.tables);
  const temporary = await makeTemporaryFolder('restore');
  const folder = temporary.path;
  try {
    const engine = await openEngine(folder, memoryMb, signal);
    try {
      const writer = await openWriter(target, manifest, engine, folder, signal);
      try {
        for (const table of tables) {
          const files = await verifiedParts(vault, table, folder, signal);
          const rows = await writer.table(table, files);
          if (rows !== table.rows) throw miscounted(table, rows, writer.shown);
          for (const file of files) await rm(file, { force: true });
          emit?.({ type: 'progress', table: table.name, rows, bytes: table.bytes });
        }
        signal?.throwIfAborted();
        warnings.push(...(await writer.finish()));
        return report(manifest, tables, writer.shown, warnings);
      } catch (error) {
        await writer.abort();
        throw error;
      }
    } finally {
      engine.close();
    }
  } finally {
    await temporary.remove();
  }
}

type Engine = Awaited<ReturnType<typeof openEngine>>;

function openWriter(
  target: RestoreTarget,
  manifest: Manifest,
  engine: Engine,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<RestoreWriter> {
  switch (target.kind) {
    case 'folder':
      return openFolderWriter(target, manifest, engine);
    case 'duckdb':
      return openDuckDbWriter(target.path, engine);
    case 'postgres':
      return openPostgresWriter(target, engine, folder, signal);
  }
}

/** Damage to this snapshot ends the restore; damage elsewhere in the vault is told. */
async function refuseDamage(vault: Vault, manifest: Manifest, call: CallOptions): Promise<string[]> {
  const findings = collectFindings();
  const catalog = await readCatalog(vault, call);
  await verifyChain(vault, catalog, findings, { ...call, all: false, chosen: manifest.sequence });
  const own = [snapshotKey(manifest.sequence), outcomeKey(manifest.run)];
  const first = findings.list.find(({ object }) => own.includes(object));
  if (first !== undefined) {
    throw new TablevaultError('VAULT_CORRUPT', `snapshot ${manifest.snapshot} is damaged: ${first.message}`, {
      at: { object: first.object, finding: first.code },
      hint: 'Nothing was restored. `tablevault verify` tells more; restore another snapshot with --snapshot.',
    });
  }
  return findings.list.map(({ code, object, message }) => `${code} ${object}: ${message}`);
}

/** Copies of a table's parts whose bytes are those of the manifest. */
async function verifiedParts(
  vault: Vault,
  table: TableEntry,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const files: string[] = [];
  for (const [n, part] of table.parts.entries()) {
    signal?.throwIfAborted();
    const path = join(folder, `${n}-${part.sha256.slice(0, 16)}.parquet`);
    await copyPart(vault.store, part, path, { signal });
    files.push(path);
  }
  return files;
}

function miscounted(table: TableEntry, rows: number, shown: string): TablevaultError {
  return new TablevaultError(
    'VAULT_CORRUPT',
    `${table.name} has ${plural(rows, 'row')} in the target, ${count(table.rows)} in the manifest`,
    {
      at: { table: table.name, target: shown },
      hint: 'The target was left empty. Run `tablevault verify --level rows`.',
    },
  );
}

function report(
  manifest: Manifest,
  tables: readonly TableEntry[],
  target: string,
  warnings: readonly string[],
): RestoreReport {
  const { snapshot, sequence, complete } = manifest;
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  return {
    snapshot,
    sequence,
    complete,
    target,
    tables: tables.map((table) => ({ name: table.name, rows: table.rows })),
    rows,
    warnings,
  };
}
