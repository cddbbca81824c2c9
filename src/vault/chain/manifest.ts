/** The manifest: the object that is a snapshot. Its schema, its bytes, and what it may not contradict in itself. */
import * as z from 'zod';
import { sha256Hex } from '../../core/digest.ts';
import { canonicalBytes } from '../../core/json.ts';
import { RUN_ID } from '../layout.ts';
import { parseObject } from './parse.ts';

/**
 * The manifest: what a snapshot is. Its object's creation is the commit. `schemas/manifest.schema.json` is made of this file.
 * Readers ignore members they do not know, and keep them; a change of meaning raises `FORMAT_VERSION`.
 */
export const FORMAT_VERSION = 1;

const count = z.int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const instant = z.iso.datetime();
const sequence = z.int().positive();

/** As in `core/schema.ts`. */
const columnType = z.union([
  z.object({ kind: z.literal('decimal'), precision: z.int().min(1).max(38), scale: z.int().min(0).max(38) }),
  z.object({
    kind: z.enum([
      'boolean',
      'int8',
      'uint8',
      'int16',
      'int32',
      'int64',
      'float32',
      'float64',
      'decimalText',
      'guid',
      'text',
      'binary',
      'timestamp',
      'date',
      'time',
      'json',
    ]),
  }),
]);

const columnEntry = z.object({
  name: z.string().min(1),
  edmType: z.string(),
  type: columnType,
  nullable: z.boolean(),
  parquetType: z.string().describe('As the writer names it, e.g. DECIMAL(38, 2).'),
});

const columnStatistics = z.object({
  nulls: count,
  min: z
    .string()
    .optional()
    .describe('Least value as text: numbers in decimal, instants in ISO 8601 with Z, text by its UTF-8 bytes.'),
  max: z.string().optional(),
});

const keyValues = z.array(z.string()).nullable();

export const partEntrySchema = z.object({
  key: z.string().min(1).describe("The object's key in the vault."),
  run: z.string().regex(RUN_ID).describe('The run that wrote it; not that of the snapshot when a part is used again.'),
  rows: count,
  bytes: count,
  sha256,
  range: z
    .object({ ge: z.string().optional(), le: z.string().optional() })
    .nullable()
    .describe('The range of keys that was asked for; null for a whole table or a page chain.'),
  firstKey: keyValues.describe('Key of the first row in key order, a value a key column; null without rows or key.'),
  lastKey: keyValues,
  columns: z.record(z.string(), columnStatistics),
});

const driftEntry = z.object({
  added: z.array(z.string()),
  removed: z.array(z.string()),
  retyped: z.array(z.object({ name: z.string(), from: z.string(), to: z.string() })),
});

export const tableEntrySchema = z.object({
  name: z.string().min(1),
  schema: z.object({
    columns: z.array(columnEntry),
    key: z.array(z.string()),
    references: z
      .array(z.object({ column: z.string(), table: z.string() }))
      .optional()
      .describe('Columns that hold the key of a row of another table, as the model tells.'),
  }),
  fingerprint: z.string().min(1).describe('Hash of the schema that the parts share.'),
  typesProfile: z.enum(['portable', 'native']),
  rows: count,
  bytes: count.describe('Of the parts, as stored.'),
  parts: z.array(partEntrySchema),
  strategy: z.string().min(1),
  consistency: z.enum(['exact', 'counted', 'best-effort']),
  proof: z.unknown().describe('How the end of the scan was proven.'),
  window: z.object({ from: instant, to: instant }).describe('When the table was read.'),
  counts: z
    .object({ before: count.nullable(), after: count.nullable(), source: z.string().nullable() })
    .describe('Rows before and after the read, both by `source`; null where that does not say.'),
  columnsLeftOut: z.array(z.object({ name: z.string(), reason: z.string() })),
  warnings: z.array(z.string()),
  requests: count,
  filter: z.string().nullable().optional(),
  drift: driftEntry.nullable().optional().describe('Against the schema of the last complete snapshot.'),
});

const draftShape = {
  formatVersion: z.literal(FORMAT_VERSION),
  snapshot: z.string().regex(RUN_ID),
  nonce: z.string().min(16).describe('Random: tells the writer whether a manifest is its own.'),
  run: z.string().regex(RUN_ID),
  pipeline: z.object({ name: z.string(), sha256: sha256.describe('Of the pipeline with defaults, without secrets.') }),
  instance: z.object({
    url: z.string(),
    database: z.string().nullable().optional(),
    version: z.string().nullable(),
    metadataSha256: sha256.describe(
      'Of what `$metadata` says of all tables, however it is written; before version 0.2, of its bytes.',
    ),
  }),
  identity: z.object({ kind: z.string(), describe: z.string() }),
  tool: z.object({ version: z.string(), formatVersion: z.int() }),
  complete: z.boolean().describe('False when tables failed and a partial snapshot was allowed.'),
  selection: z
    .object({
      narrowed: z
        .array(z.string())
        .nullable()
        .describe(
          'Globs of `snapshot --tables`: the snapshot is not the newest complete one for anything. Null: all tables of the pipeline.',
        ),
    })
    .optional()
    .describe(
      'Which tables of the pipeline were asked for; not in manifests from before version 0.2, which do not say.',
    ),
  startedAt: instant,
  finishedAt: instant,
  tables: z.array(tableEntrySchema),
  failed: z.array(z.object({ name: z.string(), error: z.object({ code: z.string(), message: z.string() }) })),
  totals: z.object({ tables: count, rows: count, bytes: count, parts: count }),
  durationMs: count,
  requests: count,
  bytesReceived: count.describe('Response bodies on the wire, before decompression.'),
  follows: z
    .object({ snapshot: z.string().regex(RUN_ID), sha256 })
    .nullable()
    .optional()
    .describe('In signed manifests: the newest snapshot that its writer found, by the hash of its stored bytes.'),
  signature: z
    .object({
      algorithm: z.literal('ed25519'),
      key: z
        .string()
        .regex(/^[0-9a-f]{16}$/)
        .describe('Begins the SHA-256 of the public key (SPKI, DER).'),
      value: z.base64(),
    })
    .optional()
    .describe('Over all members but this one, sequence and parent; see src/vault/chain/signature.ts.'),
};

/** A manifest before its place in the chain is known; what `outcome.json` holds. */
export const manifestDraftSchema = z.object(draftShape);

export const manifestSchema = z.object({
  ...draftShape,
  sequence,
  parent: z.object({ sequence, sha256 }).nullable().describe('The snapshot before, by the hash of its stored bytes.'),
});

type Frozen<T> = T extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : T extends object
    ? { readonly [Name in keyof T]: Frozen<T[Name]> }
    : T;

export type Manifest = Frozen<z.infer<typeof manifestSchema>>;
export type ManifestDraft = Frozen<z.infer<typeof manifestDraftSchema>>;
export type TableEntry = Frozen<z.infer<typeof tableEntrySchema>>;
export type PartEntry = Frozen<z.infer<typeof partEntrySchema>>;
export type ColumnStatistics = Frozen<z.infer<typeof columnStatistics>>;
export type TableDrift = Frozen<z.infer<typeof driftEntry>>;
export type ParentLink = Manifest['parent'];

/** Bytes to store, the same for the same manifest in every process. */
export const manifestBytes = (manifest: Manifest): Uint8Array => canonicalBytes(manifest);

/** Bytes and hash of the manifest that puts `draft` at a place of the chain. */
export function placeManifest(draft: ManifestDraft, place: Pick<Manifest, 'sequence' | 'parent'>) {
  const manifest: Manifest = { ...draft, ...place };
  const bytes = manifestBytes(manifest);
  return { manifest, bytes, sha256: sha256Hex(bytes) };
}

/**
 * A stored manifest. Members that this version does not know are kept.
 * @throws TablevaultError `VAULT_CORRUPT` with the object's key.
 */
export function parseManifest(bytes: Uint8Array, key: string): Manifest {
  return parseObject(manifestSchema, bytes, key) as Manifest;
}

/** Contradictions inside a manifest that a schema cannot see. Empty when there are none. */
export function manifestProblems(manifest: Manifest): string[] {
  const problems: string[] = [];
  const expect = (holds: boolean, message: string) => {
    if (!holds) problems.push(message);
  };
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const names = new Set<string>();
  const keys = new Set<string>();
  for (const table of manifest.tables) {
    expect(!names.has(table.name), `table ${table.name} is listed twice`);
    names.add(table.name);
    expect(table.parts.length > 0, `table ${table.name} has no part; an empty table has an empty one`);
    expect(
      sum(table.parts.map((part) => part.rows)) === table.rows,
      `rows of ${table.name} are not the sum of its parts`,
    );
    expect(
      sum(table.parts.map((part) => part.bytes)) === table.bytes,
      `bytes of ${table.name} are not the sum of its parts`,
    );
    const columns = new Set(table.schema.columns.map((column) => column.name));
    expect(columns.size === table.schema.columns.length, `a column of ${table.name} is listed twice`);
    for (const name of table.schema.key)
      expect(columns.has(name), `key column ${name} of ${table.name} is not among its columns`);
    for (const part of table.parts) {
      expect(!keys.has(part.key), `part ${part.key} is listed twice`);
      keys.add(part.key);
      for (const [name, statistics] of Object.entries(part.columns)) {
        expect(columns.has(name), `part ${part.key} has statistics of an unknown column ${name}`);
        expect(statistics.nulls <= part.rows, `part ${part.key} counts more nulls of ${name} than rows`);
      }
    }
  }
  for (const table of manifest.failed) expect(!names.has(table.name), `table ${table.name} is both present and failed`);
  const { totals } = manifest;
  expect(totals.tables === manifest.tables.length, 'totals.tables is not the number of tables');
  expect(totals.rows === sum(manifest.tables.map((table) => table.rows)), 'totals.rows is not the sum of the tables');
  expect(
    totals.bytes === sum(manifest.tables.map((table) => table.bytes)),
    'totals.bytes is not the sum of the tables',
  );
  expect(
    totals.parts === sum(manifest.tables.map((table) => table.parts.length)),
    'totals.parts is not the number of parts',
  );
  expect(!manifest.complete || manifest.failed.length === 0, 'it is complete although tables failed');
  return problems;
}

/** The JSON Schema for readers in other languages. */
export function manifestJsonSchema(): unknown {
  return {
    ...z.toJSONSchema(manifestSchema, { io: 'input' }),
    $id: 'https://tablevault.invalid/manifest.schema.json',
    title: 'tablevault manifest',
  };
}
