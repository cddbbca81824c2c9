/**
 * Values of a DuckDB result as plain data, exactly: decimals and what has no plain form become text with every digit, int64 and
 * wider stay bigint, instants are ISO 8601 in UTC with microseconds, binary is base64.
 */
import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBUnionValue,
  type DuckDBValue,
} from '@duckdb/node-api';

export type PlainValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly PlainValue[]
  | { readonly [field: string]: PlainValue };

export function plainValue(value: DuckDBValue): PlainValue {
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof DuckDBTimestampTZValue) return isoOfMicros(value.micros, 'Z') ?? value.toString();
  if (value instanceof DuckDBTimestampValue) return isoOfMicros(value.micros, '') ?? value.toString();
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('base64');
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) return value.items.map(plainValue);
  if (value instanceof DuckDBStructValue) return fields(Object.entries(value.entries));
  if (value instanceof DuckDBMapValue) {
    return value.entries.map((entry) => ({ key: plainValue(entry.key), value: plainValue(entry.value) }));
  }
  if (value instanceof DuckDBUnionValue) return fields([[value.tag, value.value]]);
  return String(value);
}

function fields(entries: readonly (readonly [string, DuckDBValue])[]): { readonly [field: string]: PlainValue } {
  return Object.fromEntries(entries.map(([name, inner]) => [name, plainValue(inner)]));
}

/** `2024-01-01T00:00:00.123456Z`; the fraction only where there is one. Undefined outside the years JavaScript dates know. */
function isoOfMicros(micros: bigint, zone: string): string | undefined {
  const fraction = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const date = new Date(Number((micros - fraction) / 1000n));
  if (Number.isNaN(date.getTime())) return undefined;
  const seconds = date.toISOString().replace('.000Z', '');
  return `${seconds}${fraction === 0n ? '' : `.${String(fraction).padStart(6, '0')}`}${zone}`;
}
