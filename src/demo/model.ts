/**
 * The table model: names, kinds, columns and what one may filter on, read from JSON lines (or a JSON array) in the form of
 * `schemas/demo/tables.jsonl`.
 */
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { TablevaultError } from '../core/errors.ts';
import { packageFile } from '../core/package-files.ts';

/**
 * A true value: GUIDs in lower case, decimals as exact text with all digits of their scale, instants as
 * `YYYY-MM-DDThh:mm:ss.ffffffZ`, dates `YYYY-MM-DD`, times `hh:mm:ss.ffffff`, binary as base64, 64-bit integers as bigint.
 */
export type Value = string | number | bigint | boolean | null;

export type FilterKind = 'Equals' | 'GreaterThanOrLessThan' | 'Like';

/** SQL Server types, parsed. `length` is null for `max`. */
export type SqlType =
  | { readonly kind: 'guid' | 'bit' | 'int' | 'smallint' | 'tinyint' | 'bigint' | 'float' }
  | { readonly kind: 'datetime' | 'date' | 'time' | 'rowversion' | 'binary' }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'text'; readonly length: number | null; readonly fixed: boolean };

export interface DemoColumn {
  readonly name: string;
  /** As the model has it, e.g. `decimal(38, 2)`. */
  readonly sqlType: string;
  readonly type: SqlType;
  /** The type its values were made for; differs from `type` after a column was widened. */
  readonly madeAs: SqlType;
  readonly nullable: boolean;
  /** Position in the key from 1, or 0. */
  readonly pk: number;
  /** Table whose key it holds. */
  readonly references: string | null;
  readonly owner: boolean;
  readonly multiLanguage: boolean;
  readonly password: boolean;
  readonly sortable: boolean;
  readonly filters: readonly FilterKind[];
  readonly includesNulls: readonly FilterKind[];
  readonly in: boolean;
  readonly defaultEquals: string | null;
}

export interface TableModel {
  readonly name: string;
  readonly kind: 'table' | 'view';
  readonly owners: readonly string[];
  /** Rows that the file states, or null. */
  readonly rows: number | null;
  readonly keys: 'sequential' | 'random';
  readonly columns: readonly DemoColumn[];
}

const filterKind = z.enum(['Equals', 'GreaterThanOrLessThan', 'Like']);
const columnLine = z.object({
  name: z.string().min(1),
  type: z.string().min(1),
  nullable: z.boolean().default(false),
  pk: z.number().int().min(0).default(0),
  references: z.string().optional(),
  ownerReference: z.boolean().default(false),
  multiLanguage: z.boolean().default(false),
  password: z.boolean().default(false),
  sortable: z.boolean().default(false),
  in: z.boolean().default(false),
  filters: z.array(filterKind).default([]),
  filterIncludesNulls: z.array(filterKind).default([]),
  filterDefaults: z.object({ Equals: z.string() }).partial().default({}),
});
const tableLine = z.object({
  name: z.string().min(1),
  kind: z.enum(['table', 'view']),
  owners: z.array(z.string()).default([]),
  rows: z.number().int().min(0).optional(),
  /** How keys are made: GUIDs as NEWSEQUENTIALID or as NEWID makes them; other values without or with gaps, signs, and mixed case. */
  keys: z.enum(['sequential', 'random']).default('sequential'),
  columns: z.array(columnLine).min(1),
});
export type ColumnLine = z.input<typeof columnLine>;

const BUILT_IN = 'schemas/demo/tables.jsonl';

/** Reads the 40 built-in tables, or those of a file. Throws CONFIG_NOT_FOUND or CONFIG_INVALID. */
export function readModel(file?: string): readonly TableModel[] {
  const name = file ?? BUILT_IN;
  let text: string;
  try {
    text = readFileSync(file ?? packageFile(BUILT_IN), 'utf8').trim();
  } catch (cause) {
    throw new TablevaultError('CONFIG_NOT_FOUND', `the table model ${name} cannot be read`, { cause });
  }
  let lines: unknown;
  try {
    lines = text.startsWith('[') ? JSON.parse(text) : text.split('\n').map((line) => JSON.parse(line) as unknown);
  } catch (cause) {
    throw new TablevaultError('CONFIG_INVALID', `the table model ${name} is not JSON`, { cause });
  }
  const parsed = z.array(tableLine).safeParse(lines);
  if (!parsed.success) {
    throw new TablevaultError('CONFIG_INVALID', `the table model ${name} is not in the form of the built-in one`, {
      cause: parsed.error,
      hint: z.prettifyError(parsed.error).slice(0, 400),
    });
  }
  return parsed.data.map((table) => ({
    name: table.name,
    kind: table.kind,
    owners: table.owners,
    rows: table.rows ?? null,
    keys: table.keys,
    columns: table.columns.map(toColumn),
  }));
}

function toColumn(line: z.output<typeof columnLine>): DemoColumn {
  const type = parseSqlType(line.type);
  return {
    name: line.name,
    sqlType: line.type,
    type,
    madeAs: type,
    nullable: line.nullable,
    pk: line.pk,
    references: line.references ?? null,
    owner: line.ownerReference,
    multiLanguage: line.multiLanguage,
    password: line.password,
    sortable: line.sortable,
    filters: line.filters,
    includesNulls: line.filterIncludesNulls,
    in: line.in,
    defaultEquals: line.filterDefaults.Equals ?? null,
  };
}

/** A column from its JSON form, for schema changes. */
export function parseColumn(line: ColumnLine): DemoColumn {
  return toColumn(columnLine.parse(line));
}

const SIMPLE: Readonly<Record<string, SqlType>> = {
  uniqueidentifier: { kind: 'guid' },
  bit: { kind: 'bit' },
  int: { kind: 'int' },
  smallint: { kind: 'smallint' },
  tinyint: { kind: 'tinyint' },
  bigint: { kind: 'bigint' },
  float: { kind: 'float' },
  datetime: { kind: 'datetime' },
  date: { kind: 'date' },
  time: { kind: 'time' },
  timestamp: { kind: 'rowversion' },
  varbinary: { kind: 'binary' },
};

/** Parses a SQL Server type as the model writes it. Throws CONFIG_INVALID. */
export function parseSqlType(text: string): SqlType {
  const simple = SIMPLE[text];
  if (simple !== undefined) return simple;
  const decimal = /^decimal\((\d+), ?(\d+)\)$/.exec(text);
  if (decimal !== null) return { kind: 'decimal', precision: Number(decimal[1]), scale: Number(decimal[2]) };
  const chars = /^(n?)(var)?char\((\d+|max)\)$/.exec(text);
  if (chars !== null) {
    return { kind: 'text', length: chars[3] === 'max' ? null : Number(chars[3]), fixed: chars[2] === undefined };
  }
  throw new TablevaultError('CONFIG_INVALID', `the table model names a type that is not known: ${text}`);
}
