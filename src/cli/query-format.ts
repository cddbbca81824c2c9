/** Rows of a query as text. Every digit is kept. */
import { csvField, csvNull } from '../core/csv.ts';
import type { QueryRows } from '../duckdb/query.ts';
import type { PlainValue } from '../duckdb/values.ts';
import { type Column, fits, pairs, planWidths, rowLine, titleLine, type Widths } from './columns.ts';
import { jsonOf, jsonRows, numberText } from './query-json.ts';
import { plainText } from './text.ts';
import type { View } from './view.ts';

export const QUERY_FORMATS = ['table', 'expanded', 'csv', 'ndjson', 'json'] as const;

export type QueryFormat = (typeof QUERY_FORMATS)[number];

/** Rows that decide the widths of a table's columns; later cells that are wider are cut at a terminal and stand out elsewhere. */
const MEASURED_ROWS = 1_000;

/**
 * The rows as text, in pieces of a batch each. A JSON array is closed only after the last row. Without a format it is a table; at a terminal
 * where the columns do not fit, a block for each row.
 */
export function formatRows(format: QueryFormat | undefined, rows: QueryRows, screen: View): AsyncIterable<string> {
  // Rows are data: what looks like a secret in them stands as it is.
  const view: View = { width: screen.width, coloured: screen.coloured, paint: screen.paint, clean: plainText };
  switch (format) {
    case undefined:
    case 'table':
      return peopleText(rows, view, format === undefined);
    case 'expanded':
      return expandedText(rows.batches(), rows, view);
    case 'csv':
      return csvText(rows);
    case 'ndjson':
      return ndjsonText(rows);
    case 'json':
      return jsonText(rows);
  }
}

/** Reads what decides the widths first, then writes everything in the form that fits. */
async function* peopleText(rows: QueryRows, view: View, mayExpand: boolean): AsyncGenerator<string> {
  const batches = rows.batches()[Symbol.asyncIterator]();
  const measured: (readonly (readonly PlainValue[])[])[] = [];
  for (let count = 0; count < MEASURED_ROWS; ) {
    const next = await batches.next();
    if (next.done) break;
    measured.push(next.value);
    count += next.value.length;
  }
  const columns = rows.columns.map(({ name, type }): Column => {
    const number = /INT|DECIMAL|DOUBLE|FLOAT/.test(type);
    // A number that is cut is another number.
    return { title: name, ...(number ? { align: 'right' } : { cut: 'end' }) };
  });
  const all = chained(measured, batches);
  const limit = view.width();
  const cells = measured.flat().map((row) => row.map(cellText));
  if (mayExpand && limit !== undefined && !fits(columns, cells, limit)) yield* expandedText(all, rows, view);
  else yield* tableText(all, columns, planWidths(columns, cells, limit), view);
}

async function* chained<T>(first: readonly T[], rest: AsyncIterator<T>): AsyncGenerator<T> {
  yield* first;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}

type Batches = AsyncIterable<readonly (readonly PlainValue[])[]>;

async function* tableText(
  batches: Batches,
  columns: readonly Column[],
  widths: Widths,
  view: View,
): AsyncGenerator<string> {
  const rule = widths.map((width) => '-'.repeat(width ?? 0)).join('  ');
  yield `${view.paint('heading', titleLine(columns, widths))}\n${view.paint('aside', rule)}\n`;
  for await (const batch of batches) {
    yield batch.map((row) => `${rowLine(row.map(cellText), columns, widths, view)}\n`).join('');
  }
}

/** A block for each row, a line for each column; values go on below themselves and are never cut. */
async function* expandedText(batches: Batches, rows: QueryRows, view: View): AsyncGenerator<string> {
  let number = 0;
  for await (const batch of batches) {
    const lines = batch.flatMap((row) => {
      number += 1;
      const named = rows.columns.map(({ name }, index) => [name, cellText(row[index] ?? null)] as const);
      return [view.paint('heading', `row ${number}`), ...pairs(named, view, { hard: true }), ''];
    });
    yield lines.map((line) => `${line}\n`).join('');
  }
}

async function* csvText(rows: QueryRows): AsyncGenerator<string> {
  yield `${rows.columns.map(({ name }) => csvField(name)).join(',')}\r\n`;
  const nullText = csvNull(rows.columns.length);
  const cell = (value: PlainValue) => (value === null ? nullText : csvField(cellText(value), nullText));
  for await (const batch of rows.batches()) {
    yield batch.map((row) => `${row.map(cell).join(',')}\r\n`).join('');
  }
}

async function* ndjsonText(rows: QueryRows): AsyncGenerator<string> {
  for await (const batch of jsonRows(rows)) yield batch.map((row) => `${row}\n`).join('');
}

async function* jsonText(rows: QueryRows): AsyncGenerator<string> {
  let separator = '\n';
  yield '[';
  for await (const batch of jsonRows(rows)) {
    yield separator + batch.join(',\n');
    separator = ',\n';
  }
  yield '\n]\n';
}

function cellText(value: PlainValue): string {
  if (value === null) return 'null';
  if (typeof value === 'number') return numberText(value);
  return typeof value === 'object' ? jsonOf(value) : String(value);
}
