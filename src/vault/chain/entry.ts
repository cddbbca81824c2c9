/** What the index keeps of a place of the chain: enough to choose a snapshot and to list it without reading its manifest. Pure. */
import * as z from 'zod';
import { RUN_ID } from '../layout.ts';
import { type Manifest, manifestBytes } from './manifest.ts';
import { type Series, seriesOf } from './series.ts';
import { readSpan } from './span.ts';
import type { Tombstone } from './tombstones.ts';

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.int().nonnegative();
const instant = z.iso.datetime();

const summarySchema = z.object({
  pipeline: z.string(),
  database: z.string(),
  instance: z.string(),
  complete: z.boolean(),
  narrowed: z.boolean(),
  startedAt: instant,
  finishedAt: instant,
  durationMs: count,
  readFrom: instant,
  readMs: count,
  continued: z.boolean(),
  tables: count,
  notExact: count,
  failedTables: count,
  rows: count,
  bytes: count,
  /** Of the parts that its own run wrote. */
  addedBytes: count,
});

export const entrySchema = z.object({
  sequence: z.int().positive(),
  snapshot: z.string().regex(RUN_ID),
  run: z.string().regex(RUN_ID),
  nonce: z.string().min(16),
  /** Of the manifest's stored bytes. */
  sha256: hash,
  /** Hash of the manifest at the place before; null for the first. */
  parent: hash.nullable(),
  /** Size of the manifest as it was stored; null where only its tombstone told of it. */
  bytes: count.nullable(),
  /** Null where the manifest had been swept before the place was indexed: its tombstone alone told of it. */
  summary: summarySchema.nullable(),
});

/** A place of the chain, live or retired. */
export type ChainEntry = Readonly<z.infer<typeof entrySchema>>;

/** What a manifest says of its snapshot as a whole. */
export type EntrySummary = Readonly<z.infer<typeof summarySchema>>;

/** An entry whose manifest was read. */
export type LiveEntry = ChainEntry & { readonly summary: EntrySummary };

/**
 * @param sha256 of the manifest's stored bytes
 * @param bytes their number. Default: as tablevault writes it.
 */
export function entryOfManifest(
  manifest: Manifest,
  sha256: string,
  bytes: number = manifestBytes(manifest).byteLength,
): LiveEntry {
  const { sequence, snapshot, run, nonce, parent } = manifest;
  const place = { sequence, snapshot, run, nonce, sha256, parent: parent?.sha256 ?? null, bytes };
  return { ...place, summary: summaryOf(manifest) };
}

export function entryOfTombstone({ sequence, snapshot, run, nonce, sha256, parent }: Tombstone): ChainEntry {
  return { sequence, snapshot, run, nonce, sha256, parent: parent?.sha256 ?? null, bytes: null, summary: null };
}

export function isLive(entry: ChainEntry): entry is LiveEntry {
  return entry.summary !== null;
}

function summaryOf(manifest: Manifest): EntrySummary {
  const { complete, selection, startedAt, finishedAt, durationMs, instance, tables, failed, totals } = manifest;
  const span = readSpan(manifest);
  const series: Series = seriesOf(manifest);
  const own = tables.flatMap(({ parts }) => parts).filter(({ run }) => run === manifest.run);
  return {
    ...series,
    instance: instance.url,
    complete,
    narrowed: (selection?.narrowed ?? null) !== null,
    startedAt,
    finishedAt,
    durationMs,
    readFrom: span.from,
    readMs: Math.max(0, span.ms),
    continued: span.continued,
    tables: tables.length,
    notExact: tables.filter(({ consistency }) => consistency !== 'exact').length,
    failedTables: failed.length,
    rows: totals.rows,
    bytes: totals.bytes,
    addedBytes: own.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}
