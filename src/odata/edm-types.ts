/** How a type of `$metadata` is decoded and stored: the table of the outside contract, section Types. */
import type { ColumnType } from '../core/schema.ts';

const PRIMITIVES: Readonly<Record<string, ColumnType>> = {
  'Edm.Boolean': { kind: 'boolean' },
  'Edm.SByte': { kind: 'int8' },
  'Edm.Byte': { kind: 'uint8' },
  'Edm.Int16': { kind: 'int16' },
  'Edm.Int32': { kind: 'int32' },
  'Edm.Int64': { kind: 'int64' },
  'Edm.Single': { kind: 'float32' },
  'Edm.Double': { kind: 'float64' },
  'Edm.Guid': { kind: 'guid' },
  'Edm.String': { kind: 'text' },
  'Edm.Binary': { kind: 'binary' },
  'Edm.DateTimeOffset': { kind: 'timestamp' },
  'Edm.Date': { kind: 'date' },
  'Edm.TimeOfDay': { kind: 'time' },
};

/** Facets of a property or type definition, as the attributes stand in the XML. */
export interface Facets {
  readonly precision?: string | undefined;
  readonly scale?: string | undefined;
}

/**
 * The column type of `edmType`. What is not a primitive with a column type of its own (enumerations, complex types, collections,
 * geography, durations, anything unknown) is kept as the JSON text that comes.
 *
 * A decimal is exact only when both facets are numbers within 38 digits. CSDL lets a missing scale mean zero, but a server that merely
 * forgot it would then lose every fraction, so such a column stays text.
 */
export function columnTypeOf(edmType: string, facets: Facets): ColumnType {
  if (edmType === 'Edm.Decimal') {
    const precision = digits(facets.precision);
    const scale = digits(facets.scale);
    if (precision === undefined || scale === undefined) return { kind: 'decimalText' };
    if (precision < 1 || precision > 38 || scale > precision) return { kind: 'decimalText' };
    return { kind: 'decimal', precision, scale };
  }
  return Object.hasOwn(PRIMITIVES, edmType) ? (PRIMITIVES[edmType] ?? { kind: 'json' }) : { kind: 'json' };
}

/** Is a column of this type text only because a pipeline keeps it as text? */
export function isKeptAsText(edmType: string, { kind }: ColumnType): boolean {
  return kind === 'json' && (edmType === 'Edm.Decimal' || Object.hasOwn(PRIMITIVES, edmType));
}

function digits(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]{1,4}$/.test(text) ? Number(text) : undefined;
}
