/**
 * Pages of the 53-column table `Crm_Sales_Order_Lines`, as an instance would send them: nulls, GUIDs, decimals, Cyrillic text.
 * Made from a seed, so every run measures the same bytes.
 */
import type { Column, ColumnType } from '../../src/core/schema.ts';

const GUID: ColumnType = { kind: 'guid' };
const TEXT: ColumnType = { kind: 'text' };
const INT: ColumnType = { kind: 'int32' };
const BIT: ColumnType = { kind: 'boolean' };
const DATE: ColumnType = { kind: 'date' };
const INSTANT: ColumnType = { kind: 'timestamp' };
const decimal = (precision: number, scale: number): ColumnType => ({ kind: 'decimal', precision, scale });

/** Name, type, share of nulls. */
const COLUMNS: readonly (readonly [string, ColumnType, number])[] = [
  ['Apply_Trade_Conditions', BIT, 0],
  ['Bonus_Program_Id', GUID, 0.9],
  ['Delivery_Terms_Code', TEXT, 0.7],
  ['Guarantee_Period_Days', INT, 0.5],
  ['Historical_Data_Json', TEXT, 0.8],
  ['Historical_Unit_Cost', decimal(14, 5), 0.3],
  ['Intrastat_Apply_Date', INSTANT, 0.8],
  ['Intrastat_Transaction_Nature_Code', TEXT, 0.8],
  ['Intrastat_Transport_Country_Id', GUID, 0.8],
  ['Intrastat_Transport_Mode_Code', TEXT, 0.8],
  ['Level1_Discount_Id', GUID, 0.6],
  ['Level1_Discount_Percent', decimal(7, 6), 0.6],
  ['Level2_Discount_Id', GUID, 0.8],
  ['Level2_Discount_Percent', decimal(7, 6), 0.8],
  ['Level3_Discount_Id', GUID, 0.9],
  ['Level3_Discount_Percent', decimal(7, 6), 0.9],
  ['Line_Amount', decimal(14, 2), 0],
  ['Line_Custom_Discount_Percent', decimal(7, 6), 0],
  ['Line_Deal_Type_Id', GUID, 0.5],
  ['Line_Discount_Id', GUID, 0.7],
  ['Line_End_Customer_Party_Id', GUID, 0.6],
  ['Line_From_Date', DATE, 0.7],
  ['Line_No', INT, 0],
  ['Line_Standard_Discount_Percent', decimal(7, 6), 0],
  ['Line_Store_Id', GUID, 0.1],
  ['Line_To_Date', DATE, 0.7],
  ['Lot_Id', GUID, 0.5],
  ['Notes', TEXT, 0.6],
  ['Parent_Document_Id', GUID, 0.7],
  ['Parent_Line_No', INT, 0.7],
  ['Persist_Lot', BIT, 0],
  ['Product_Code_Id', GUID, 0.4],
  ['Product_Description', TEXT, 0],
  ['Product_Id', GUID, 0],
  ['Product_Price_Id', GUID, 0.3],
  ['Product_Variant_Id', GUID, 0.9],
  ['Promotional_Package_Id', GUID, 0.9],
  ['Quantity', decimal(12, 3), 0],
  ['Quantity_Base', decimal(12, 3), 0],
  ['Quantity_Unit_Id', GUID, 0],
  ['Requested_Quantity', decimal(12, 3), 0.4],
  ['Required_Delivery_Date', DATE, 0.4],
  ['Return_For_Invoice_Line_Id', GUID, 0.95],
  ['Return_For_Sales_Order_Line_Id', GUID, 0.95],
  ['Row_Version', { kind: 'binary' }, 0],
  ['Sales_Order_Id', GUID, 0],
  ['Sales_Order_Line_Id', GUID, 0],
  ['Serial_Number_Id', GUID, 0.9],
  ['Standard_Quantity_Base', decimal(12, 3), 0],
  ['Standard_Unit_Price', decimal(14, 5), 0.2],
  ['Store_Bin_Id', GUID, 0.8],
  ['Tax_Amount', decimal(12, 2), 0.2],
  ['Unit_Price', decimal(14, 5), 0],
];

export const ORDER_LINES_KEY = 'Sales_Order_Line_Id';

export const orderLineColumns: readonly Column[] = COLUMNS.map(([name, type, nulls]) => ({
  name,
  type,
  edmType: `bench.${type.kind}`,
  nullable: nulls > 0,
  sensitive: false,
}));

const WORDS =
  'Хляб пълнозърнест нарязан бял кашкавал от краве мляко Widget steel bolt M8 zinc plated „Родопа“ 400 g кутия доставка срочно'.split(
    ' ',
  );

/** How many different keys a reference column points at: the sizes of the tables behind them in a company of some size. */
const REFERENCED: Readonly<Record<string, number>> = {
  Bonus_Program_Id: 10,
  Intrastat_Transport_Country_Id: 60,
  Level1_Discount_Id: 200,
  Level2_Discount_Id: 100,
  Level3_Discount_Id: 50,
  Line_Deal_Type_Id: 8,
  Line_Discount_Id: 200,
  Line_End_Customer_Party_Id: 3000,
  Line_Store_Id: 40,
  Lot_Id: 20_000,
  Parent_Document_Id: 20_000,
  Product_Code_Id: 6000,
  Product_Id: 5000,
  Product_Price_Id: 10_000,
  Product_Variant_Id: 2000,
  Promotional_Package_Id: 100,
  Quantity_Unit_Id: 12,
  Return_For_Invoice_Line_Id: 50_000,
  Return_For_Sales_Order_Line_Id: 50_000,
  Serial_Number_Id: 50_000,
  Store_Bin_Id: 400,
};
/** Lines of an order, about. */
const LINES_AN_ORDER = 6;

/** `pages` response bodies of `rows` rows each, keys ascending in SQL Server's order. */
export function orderLinePages(pages: number, rows: number, seed = 1): Uint8Array[] {
  const random = mulberry(seed);
  const pool = Array.from({ length: 50_000 }, () => randomGuid(random));
  const encoder = new TextEncoder();
  let serial = 0;
  return Array.from({ length: pages }, () => {
    const lines = Array.from({ length: rows }, () => row(serial++, random, pool));
    return encoder.encode(
      `{"@odata.context":"https://bench.invalid/tableapi/odata/$metadata#Crm_Sales_Order_Lines","value":[${lines.join(',')}]}`,
    );
  });
}

function row(serial: number, random: () => number, pool: readonly string[]): string {
  const members = COLUMNS.map(([name, type, nulls]) => {
    const isNull = nulls > 0 && random() < nulls;
    return `"${name}":${isNull ? 'null' : name === ORDER_LINES_KEY ? `"${sequentialGuid(serial)}"` : value(name, type, serial, random, pool)}`;
  });
  return `{${members.join(',')}}`;
}

function value(name: string, type: ColumnType, serial: number, random: () => number, pool: readonly string[]): string {
  switch (type.kind) {
    case 'guid':
      if (name === 'Sales_Order_Id') return `"${sequentialGuid(Math.floor(serial / LINES_AN_ORDER))}"`;
      return `"${pool[Math.floor(random() * (REFERENCED[name] ?? pool.length))]}"`;
    case 'boolean':
      return random() < 0.5 ? 'true' : 'false';
    case 'int32':
      return String(Math.floor(random() * 400));
    case 'decimal':
      return (random() * 10 ** Math.min(4, type.precision - type.scale)).toFixed(type.scale);
    case 'date':
      return `"20${10 + Math.floor(random() * 16)}-${pad(1 + Math.floor(random() * 12))}-${pad(1 + Math.floor(random() * 28))}"`;
    case 'timestamp':
      return `"2023-${pad(1 + Math.floor(random() * 12))}-11T0${Math.floor(random() * 10)}:15:3${Math.floor(random() * 10)}.${100 + Math.floor(random() * 900)}Z"`;
    case 'binary':
      return `"${Buffer.from((0x7d1000n + BigInt(serial)).toString(16).padStart(16, '0'), 'hex').toString('base64')}"`;
    default:
      if (name === 'Historical_Data_Json')
        return JSON.stringify(JSON.stringify({ cost: random().toFixed(4), src: 'avg', n: serial }));
      if (name.endsWith('_Code')) return `"${'ABCDEF'[Math.floor(random() * 6)]}"`;
      return JSON.stringify(
        Array.from({ length: 3 + Math.floor(random() * 5) }, () => WORDS[Math.floor(random() * WORDS.length)]).join(
          ' ',
        ),
      );
  }
}

/** Sequential in SQL Server's order, sharing their tail as those of one database server do. */
export function sequentialGuid(serial: number): string {
  const hex = serial.toString(16).padStart(8, '0');
  const turned = hex.slice(6) + hex.slice(4, 6) + hex.slice(2, 4) + hex.slice(0, 2);
  return `${turned}-5c0d-e311-81cb-00155d001f00`;
}

/** The serial of a GUID that `sequentialGuid` made. */
export function serialOf(guid: string): number {
  return Number.parseInt(guid.slice(6, 8) + guid.slice(4, 6) + guid.slice(2, 4) + guid.slice(0, 2), 16);
}

function randomGuid(random: () => number): string {
  const hex = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function pad(n: number): string {
  return String(n).padStart(2, '0');
}

/** A small seeded generator (mulberry32). */
function mulberry(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
