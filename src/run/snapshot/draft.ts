/** The manifest of a run, made of what was read; signed where the pipeline has a key. */
import { randomUUID } from 'node:crypto';
import { toolVersion } from '../../core/package-files.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import { parsePrivateKey } from '../../core/signing-key.ts';
import type { Instance } from '../../instance/open.ts';
import { fewerThanTold } from '../../read/told-rows.ts';
import { readCatalog } from '../../vault/chain/catalog.ts';
import { FORMAT_VERSION, type Manifest, type ManifestDraft, type TableEntry } from '../../vault/chain/manifest.ts';
import { signDraft } from '../../vault/chain/signature.ts';
import { planHashOf } from '../../vault/commit/run.ts';
import type { Vault } from '../../vault/vault.ts';
import { changeWarnings, driftOf } from './expectations.ts';
import type { FailedTable } from './report.ts';

/** What makes two pipelines ask for the same: all but secrets, limits and destination. */
export function settingsOf(pipeline: Pipeline): unknown {
  const { instance, auth, tables, parquet } = pipeline;
  const identity = auth.kind === 'service' ? { kind: auth.kind, clientId: auth.clientId } : { kind: auth.kind };
  return { instance, identity, tables, parquet };
}

/** Rows of all tables by `Dmv_Table_Info`, before and after the read; null where it cannot be read. */
export interface ToldTables {
  readonly before: ReadonlyMap<string, number> | null;
  readonly after: ReadonlyMap<string, number> | null;
}

export interface KnownAtEnd {
  /** The last complete snapshot. */
  readonly previous: Manifest | undefined;
  readonly told: ToldTables;
  /** A table of which rows came after an answer that looked whole. */
  readonly cut: string | undefined;
}

/** Adds to an entry what is only known at the end: counts after the read, changes since the last complete snapshot. */
export function finishEntry(entry: TableEntry, { previous, told, cut }: KnownAtEnd): TableEntry {
  const { name, rows } = entry;
  const drifted = previous?.tables.find((each) => each.name === name);
  const drift = driftOf(entry, drifted);
  // It tells of whole tables.
  const whole = entry.filter === undefined;
  const before = whole ? told.before?.get(name) : undefined;
  const after = whole ? told.after?.get(name) : undefined;
  const fewer = fewerThanTold(rows, { before, after });
  const warnings = [
    ...entry.warnings,
    ...changeWarnings(entry, drifted, drift),
    ...(fewer === undefined ? [] : [fewer]),
    ...(entry.consistency === 'best-effort' && cut !== undefined
      ? [
          `rows may be missing: answers of this instance can end early (more rows of ${cut} came after one, unless they were added meanwhile)`,
        ]
      : []),
  ];
  return { ...entry, counts: countsWith(entry.counts, after), warnings, drift };
}

/** A count after the read stands only beside one of the same source. */
function countsWith(counts: TableEntry['counts'], told: number | undefined): TableEntry['counts'] {
  const { source } = counts;
  if (told === undefined || (source !== null && source !== 'Dmv_Table_Info')) return counts;
  return { ...counts, after: told, source: 'Dmv_Table_Info' };
}

export interface DraftParts {
  readonly run: string;
  readonly instance: Instance;
  readonly identity: ManifestDraft['identity'];
  readonly pipeline: Pipeline;
  /** Globs of `--tables`; null for all tables of the pipeline. */
  readonly narrowed: readonly string[] | null;
  readonly tables: readonly TableEntry[];
  readonly failed: readonly FailedTable[];
  readonly startedMs: number;
  readonly finishedMs: number;
  readonly requests: number;
  readonly bytesReceived: number;
}

/** The draft of a pipeline with a signing key, signed; of any other as it is. */
export async function signedDraft(
  draft: ManifestDraft,
  { signingKey }: Pipeline,
  vault: Vault,
  signal: AbortSignal,
): Promise<ManifestDraft> {
  const key = signingKey === undefined ? undefined : parsePrivateKey(signingKey.reveal());
  if (key === undefined) return draft;
  const catalog = await readCatalog(vault, { signal });
  // Of a manifest that was damaged meanwhile, the index tells the hash.
  const newest = [...catalog.snapshots, ...catalog.presumed.values()]
    .filter(({ sequence }) => catalog.live.includes(sequence))
    .sort((a, b) => a.sequence - b.sequence)
    .at(-1);
  for (const [sequence, fault] of catalog.unreadable) if (sequence > (newest?.sequence ?? 0)) throw fault;
  const follows = newest === undefined ? null : { snapshot: newest.snapshot, sha256: newest.sha256 };
  return signDraft({ ...draft, follows }, key);
}

/** The manifest of a run, but for its place in the chain. */
export function draftManifest(parts: DraftParts): ManifestDraft {
  const { run, instance, identity, pipeline, narrowed, tables, failed } = parts;
  const { startedMs, finishedMs, requests, bytesReceived } = parts;
  const sum = (pick: (entry: TableEntry) => number) => tables.reduce((total, entry) => total + pick(entry), 0);
  return {
    formatVersion: FORMAT_VERSION,
    snapshot: run,
    nonce: randomUUID(),
    run,
    pipeline: { name: pipeline.name, sha256: planHashOf(settingsOf(pipeline)) },
    instance: {
      url: instance.url,
      database: instance.discovery.databaseName,
      version: instance.version,
      metadataSha256: instance.metadataSha256,
    },
    identity,
    tool: { version: toolVersion(), formatVersion: FORMAT_VERSION },
    complete: failed.length === 0,
    selection: { narrowed },
    startedAt: new Date(startedMs).toISOString(),
    finishedAt: new Date(finishedMs).toISOString(),
    tables,
    failed: failed.map(({ name, error }) => ({ name, error: { code: error.code, message: error.message } })),
    totals: {
      tables: tables.length,
      rows: sum((entry) => entry.rows),
      bytes: sum((entry) => entry.bytes),
      parts: sum((entry) => entry.parts.length),
    },
    durationMs: finishedMs - startedMs,
    requests,
    bytesReceived,
  };
}
