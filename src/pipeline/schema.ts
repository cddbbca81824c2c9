/**
 * The shape of a pipeline file, once: the reader validates with it, and `schemas/pipeline.schema.json` is generated from it.
 * Descriptions end up as tooltips in editors.
 */
import * as z from 'zod';
import { DURATION_PATTERN, parseDuration } from '../core/duration.ts';
import { REFERENCE_PATTERN } from './secret-references.ts';

/** Names the schema; an editor is pointed at the file, e.g. by a first line `# yaml-language-server: $schema=../schemas/pipeline.schema.json`. */
const PIPELINE_SCHEMA_ID = 'urn:tablevault:schema:pipeline:1';

const MAX_TOP = 2_147_483_647;

const secret = z
  .string()
  .regex(
    new RegExp(REFERENCE_PATTERN),
    `must be \${env:NAME}, \${file:path} or \${aws-secret:NAME}, never the secret itself`,
  )
  .describe(`A reference, \${env:NAME}, \${file:path} or \${aws-secret:NAME}; a secret written in clear is refused.`);

const text = z.string().min(1, 'must not be empty');

const duration = z
  .string('must be a number with a unit, such as 6h, 90m or 30s')
  .regex(new RegExp(DURATION_PATTERN), 'must be a number with a unit, such as 6h, 90m or 30s')
  .refine((value) => parseDuration(value) !== undefined, 'must be more than zero')
  .describe('A number with a unit: ms, s, m, h or d.');

const globs = z.array(text).describe('Globs of table names, e.g. Gen_*');

const service = z
  .strictObject({
    kind: z.literal('service'),
    clientId: text.describe('The ApplicationUri of the Trusted Application.'),
    clientSecret: secret,
  })
  .describe('Service identity: OAuth client credentials of a Trusted Application.');

const referenceToken = z
  .strictObject({
    kind: z.literal('reference-token'),
    token: secret,
    header: z
      .enum(['authorization', 'x-api-key'])
      .default('authorization')
      .describe('The one header that carries the token.'),
  })
  .describe('A reference token (enrt_…), sent as it is.');

const override = z.strictObject({
  columns: z
    .array(text)
    .min(1, 'must name at least one column')
    .optional()
    .describe(
      'Globs of columns, applied in order; a leading - removes columns. The key and Row_Version are always read.',
    ),
  filter: text.optional().describe('An OData $filter, sent to the instance as it is.'),
  accept: z
    .literal('best-effort', 'must be best-effort')
    .optional()
    .describe('Take the table also where it can be neither proven nor counted to be complete; by default it fails.'),
  types: z
    .record(z.string(), z.literal('text', 'must be text, the only type that a column can be given'))
    .optional()
    .describe(
      'Columns, by their exact names, whose values are kept as the text that comes, where they do not fit the type that $metadata declares.',
    ),
});

const tables = z.strictObject({
  include: globs.min(1, 'must hold at least one pattern').default(['*']),
  exclude: globs.default([]),
  overrides: z
    .record(z.string(), override)
    .default({})
    .describe('Columns, filter and types for each table, by its name.'),
});

const limits = z.strictObject({
  concurrency: z.int().min(1).max(10).default(4).describe('The most requests in flight at one time, over all tables.'),
  pageRows: z.int().min(1).max(MAX_TOP).default(1000).describe('Rows that one page request asks for.'),
  memoryMb: z
    .int()
    .min(64)
    .default(512)
    .describe(
      'What the writers may hold of rows, in megabytes; the process takes up to 200 MB more. A row may take a tenth of it.',
    ),
  resumeWithin: duration.default('6h').describe('An unfinished run younger than this is continued.'),
  deadline: duration.default('8h').describe('A run that takes longer than this fails.'),
});

const parquet = z.strictObject({
  types: z
    .enum(['portable', 'native'])
    .default('portable')
    .describe('portable: types that every warehouse and Delta can read; native: also UUID, TIME and UINT8.'),
  compression: z.enum(['zstd', 'snappy', 'gzip', 'uncompressed']).default('zstd'),
  partRows: z.int().min(1).max(MAX_TOP).default(500_000).describe('The most rows in one Parquet file.'),
});

const expect = z.strictObject({
  maxRowDropPercent: z
    .number()
    .min(0)
    .max(100)
    .optional()
    .describe('Fail when a table lost more than this share of its rows since the last complete snapshot.'),
  minRows: z
    .record(z.string(), z.int().min(0))
    .optional()
    .describe('The least number of rows for each table, by its name.'),
});

export const pipelineFileSchema = z.strictObject({
  version: z.literal(1, 'must be 1, the only version of the format'),
  instance: text.describe(
    'Address of the ERP.net instance, e.g. https://demodb.my.erp.net; plain http only for loopback.',
  ),
  auth: z.discriminatedUnion('kind', [service, referenceToken]),
  endpoints: z
    .strictObject({
      tableApi: text
        .optional()
        .describe('Site of the Table API, if discovery does not find it or names another origin.'),
      identity: text.optional().describe('Identity authority of the instance, ending in /id.'),
    })
    .default({}),
  tables: tables.default({ include: ['*'], exclude: [], overrides: {} }),
  destination: text.describe('The vault: a folder (relative to this file) or s3://bucket/prefix.'),
  limits: limits.prefault({}),
  parquet: parquet.prefault({}),
  expect: expect.default({}),
  signing: z
    .strictObject({
      key: text.describe('Ed25519 private key (PEM, or PKCS #8 in base64), by a reference to a variable or a file.'),
    })
    .optional()
    .describe('Manifests are signed; `tablevault verify --public-key` checks them.'),
});

/** A pipeline file that has the right shape: defaults filled in, references not yet resolved. */
export type PipelineFile = z.output<typeof pipelineFileSchema>;

/** The JSON Schema of a pipeline file, for editors and for `schemas/pipeline.schema.json`. */
export function pipelineJsonSchema(): Record<string, unknown> {
  const generated = z.toJSONSchema(pipelineFileSchema, { io: 'input', target: 'draft-2020-12' });
  return { ...generated, $id: PIPELINE_SCHEMA_ID, title: 'tablevault pipeline' };
}
