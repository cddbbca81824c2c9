/**
 * Values of a query as JSON. Every digit is kept: decimals are text. Whole numbers are numbers, or text where a reader that makes floats of
 * numbers would lose digits; a column is always the one or the other.
 */
import type { QueryRows } from '../duckdb/query.ts';
import type { PlainValue } from '../duckdb/values.ts';

/** Rows that decide whether a column's whole numbers are text; in later ones a long number stands as a number, with all its digits. */
const LOOKED_AT_ROWS = 10_000;

type Batch = readonly (readonly PlainValue[])[];

/** Rows as JSON objects, a batch each time. */
export async function* jsonRows(rows: QueryRows): AsyncGenerator<readonly string[]> {
  const names = rows.columns.map(({ name }) => JSON.stringify(name));
  const wide = rows.columns.map(({ type }) => /BIGINT|HUGEINT/.test(type));
  const batches = rows.batches()[Symbol.asyncIterator]();
  const first: Batch[] = [];
  let count = 0;
  while (wide.includes(true) && count < LOOKED_AT_ROWS) {
    const next = await batches.next();
    if (next.done) break;
    first.push(next.value);
    count += next.value.length;
  }
  const asText = wide.map((is, index) => is && first.some((batch) => batch.some((row) => isLong(row[index] ?? null))));
  const toJson = (row: readonly PlainValue[]) =>
    `{${row.map((value, index) => `${names[index]}:${jsonOf(value, asText[index])}`).join(',')}}`;
  for (const batch of first) yield batch.map(toJson);
  for (let next = await batches.next(); !next.done; next = await batches.next()) yield next.value.map(toJson);
}

/** Holds the value a whole number that a float may not hold? */
function isLong(value: PlainValue): boolean {
  if (typeof value === 'bigint') return !Number.isSafeInteger(Number(value));
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some(isLong);
}

/**
 * A JSON text. NaN and the infinities, which JSON does not have, become text, never null; negative zero keeps its sign.
 * @param wholeAsText are whole numbers of 64 and more bits text?
 */
export function jsonOf(value: PlainValue, wholeAsText = false): string {
  if (typeof value === 'bigint') return wholeAsText ? `"${value}"` : String(value);
  if (typeof value === 'number') return Number.isFinite(value) ? numberText(value) : JSON.stringify(String(value));
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => jsonOf(item, wholeAsText)).join(',')}]`;
  const fields = Object.entries(value).map(([name, inner]) => `${JSON.stringify(name)}:${jsonOf(inner, wholeAsText)}`);
  return `{${fields.join(',')}}`;
}

/** The shortest digits that give the number again. */
export function numberText(value: number): string {
  return Object.is(value, -0) ? '-0.0' : String(value);
}
