/** Rows of a query as text. Every digit is kept: decimals are text, whole numbers beyond 2^53 are text in JSON too. */
import { csvField } from '../core/csv.ts';
import type { QueryRows } from '../duckdb/query.ts';
import type { PlainValue } from '../duckdb/values.ts';
import { columns, plainText, widthsOf } from './format.ts';

export const QUERY_FORMATS = ['table', 'csv', 'ndjson', 'json'] as const;

export type QueryFormat = (typeof QUERY_FORMATS)[number];

/** Rows that decide the widths of a table's columns; later cells that are wider stand out. */
const MEASURED_ROWS = 1_000;

const MAX_CELL = 80;

/** The rows as text, in pieces of a batch each. A JSON array is closed only after the last row. */
export function formatRows(format: QueryFormat, rows: QueryRows): AsyncIterable<string> {
  switch (format) {
    case 'table':
      return tableText(rows);
    case 'csv':
      return csvText(rows);
    case 'ndjson':
      return ndjsonText(rows);
    case 'json':
      return jsonText(rows);
  }
}

async function* tableText(rows: QueryRows): AsyncGenerator<string> {
  const header = rows.columns.map(({ name }) => plainText(name));
  const align = rows.columns.map(
    ({ type }) => (/INT|DECIMAL|DOUBLE|FLOAT/.test(type) ? 'right' : 'left') as 'right' | 'left',
  );
  const measured: string[][] = [];
  let widths: number[] | undefined;
  const flush = () => {
    widths = widthsOf([header, ...measured]);
    const lines = columns([header, widths.map((width) => '-'.repeat(width)), ...measured], align, widths);
    return lines.map((line) => `${line}\n`).join('');
  };
  for await (const batch of rows.batches()) {
    const cells = batch.map((row) => row.map(tableCell));
    if (widths !== undefined) {
      yield columns(cells, align, widths)
        .map((line) => `${line}\n`)
        .join('');
      continue;
    }
    measured.push(...cells);
    if (measured.length >= MEASURED_ROWS) yield flush();
  }
  if (widths === undefined) yield flush();
}

async function* csvText(rows: QueryRows): AsyncGenerator<string> {
  yield `${rows.columns.map(({ name }) => csvCell(name)).join(',')}\r\n`;
  for await (const batch of rows.batches()) {
    yield batch.map((row) => `${row.map(csvCell).join(',')}\r\n`).join('');
  }
}

async function* ndjsonText(rows: QueryRows): AsyncGenerator<string> {
  const toJson = rowJson(rows);
  for await (const batch of rows.batches()) yield batch.map((row) => `${toJson(row)}\n`).join('');
}

async function* jsonText(rows: QueryRows): AsyncGenerator<string> {
  const toJson = rowJson(rows);
  let separator = '\n';
  yield '[';
  for await (const batch of rows.batches()) {
    yield separator + batch.map(toJson).join(',\n');
    separator = ',\n';
  }
  yield '\n]\n';
}

function rowJson(rows: QueryRows): (row: readonly PlainValue[]) => string {
  const names = rows.columns.map(({ name }) => JSON.stringify(name));
  return (row) => `{${row.map((value, index) => `${names[index]}:${jsonOf(value)}`).join(',')}}`;
}

/** A JSON text. NaN and the infinities, which JSON does not have, become text, never null. */
export function jsonOf(value: PlainValue): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === 'bigint') return Number.isSafeInteger(Number(inner)) ? Number(inner) : String(inner);
    if (typeof inner === 'number' && !Number.isFinite(inner)) return String(inner);
    return inner;
  });
}

function csvCell(value: PlainValue): string {
  return value === null ? '' : csvField(cellText(value));
}

function tableCell(value: PlainValue): string {
  if (value === null) return 'null';
  const text = plainText(cellText(value));
  return text.length <= MAX_CELL ? text : `${text.slice(0, MAX_CELL - 1)}…`;
}

function cellText(value: Exclude<PlainValue, null>): string {
  return typeof value === 'object' ? jsonOf(value) : String(value);
}
