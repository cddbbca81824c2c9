import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { createDatabase, type Row } from '../../../src/demo/database.ts';
import type { DemoColumn, Value } from '../../../src/demo/model.ts';
import { cutText } from '../../../src/demo/text.ts';
import { decimalText } from '../../../src/demo/values.ts';

const db = createDatabase({ rows: 0.01 });
const rowsOf = (name: string): Row[] => [...db.rows(name)];

/** Why a value cannot be one of the column's type, or undefined. */
function misfit(column: DemoColumn, value: Value): string | undefined {
  if (value === null) return column.nullable ? undefined : 'null';
  const type = column.type;
  const inRange = (low: number, high: number) =>
    typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high ? undefined : 'out of range';
  const matches = (pattern: RegExp) => (typeof value === 'string' && pattern.test(value) ? undefined : 'form');
  switch (type.kind) {
    case 'guid':
      return matches(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
    case 'bit':
      return typeof value === 'boolean' ? undefined : 'form';
    case 'int':
      return inRange(-(2 ** 31), 2 ** 31 - 1);
    case 'smallint':
      return inRange(-32768, 32767);
    case 'tinyint':
      return inRange(0, 255);
    case 'bigint':
      return typeof value === 'bigint' && BigInt.asIntN(64, value) === value ? undefined : 'out of range';
    case 'float':
      return typeof value === 'number' && Number.isFinite(value) ? undefined : 'form';
    case 'decimal': {
      const wrong = matches(type.scale === 0 ? /^-?(0|[1-9]\d*)$/ : /^-?(0|[1-9]\d*)\.\d+$/);
      const [left = '', right = ''] = String(value).replace('-', '').split('.');
      const fits = right.length === type.scale && (left === '0' ? 0 : left.length) + type.scale <= type.precision;
      return wrong ?? (fits ? undefined : 'digits');
    }
    case 'datetime':
      return matches(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    case 'date':
      return matches(/^\d{4}-\d\d-\d\d$/);
    case 'time':
      return matches(/^([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}$/);
    case 'rowversion':
      return matches(/^[A-Za-z0-9+/]{11}=$/);
    case 'binary':
      return typeof value === 'string' && Buffer.from(value, 'base64').toString('base64') === value
        ? undefined
        : 'form';
    case 'text':
      if (typeof value !== 'string' || Buffer.from(value).toString() !== value) return 'form';
      if (type.length !== null && value.length > type.length) return 'length';
      return type.fixed && value.length !== type.length ? 'width' : undefined;
  }
}

describe('the built-in tables', () => {
  test('are 40, with views, an empty one, and keys of several kinds', () => {
    const tables = [...db.tables.values()];
    expect(tables.length).toBe(40);
    expect(tables.filter((table) => table.model.kind === 'view').length).toBeGreaterThanOrEqual(3);
    expect(tables.filter((table) => table.keys.length > 1).map((table) => table.name)).toEqual(['Gen_Document_Links']);
    expect(db.table('Sec_Access_Keys').count).toBe(0);
    const kinds = tables.flatMap((table) =>
      table.keys.length === 1 ? [table.columns[table.keys[0]!.column]!.type.kind] : [],
    );
    expect(new Set(kinds)).toEqual(new Set(['guid', 'datetime', 'text']));
    const types = new Set(tables.flatMap((table) => table.columns.map((column) => column.type.kind)));
    expect([...types].sort()).toEqual(
      [
        'bigint',
        'binary',
        'bit',
        'date',
        'datetime',
        'decimal',
        'float',
        'guid',
        'int',
        'rowversion',
        'smallint',
        'text',
        'time',
        'tinyint',
      ].sort(),
    );
  });

  test('hold values that fit their types', () => {
    const wrong: string[] = [];
    for (const table of db.tables.values()) {
      for (const row of db.rows(table.name)) {
        for (const column of table.columns) {
          const why = misfit(column, row[column.name]!);
          if (why !== undefined) wrong.push(`${table.name}.${column.name}: ${why}: ${String(row[column.name])}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  test('have foreign keys that hold', () => {
    const keys = new Map(
      [...db.tables.values()].map((table) => [
        table.name,
        new Set(rowsOf(table.name).map((row) => row[keyName(table.name)])),
      ]),
    );
    const lost: string[] = [];
    let held = 0;
    for (const table of db.tables.values()) {
      for (const column of table.columns) {
        if (column.references === null || !keys.has(column.references) || column.pk > 0) continue;
        for (const row of db.rows(table.name)) {
          const value = row[column.name];
          if (value === null) continue;
          if (keys.get(column.references)!.has(value!)) held++;
          else lost.push(`${table.name}.${column.name} ${String(value)}`);
        }
      }
    }
    expect(lost).toEqual([]);
    expect(held).toBeGreaterThan(10_000);
  });

  test('show every edge of a type somewhere', () => {
    const large = createDatabase({
      tables: ['Crm_Sales_Order_Lines', 'Gen_Property_Values', 'Inv_Current_Balances'],
      rows: 0.2,
    });
    const values = (table: string) => {
      const seen = new Set<Value>();
      for (const row of large.rows(table)) for (const value of Object.values(row)) seen.add(value);
      return seen;
    };
    const lines = values('Crm_Sales_Order_Lines');
    for (const edge of ['', '0001-01-01', '9999-12-31', '9999-12-31T23:59:59.999999Z', 2147483647, -2147483648, null]) {
      expect(lines.has(edge), String(edge)).toBe(true);
    }
    expect([...lines].some((value) => typeof value === 'string' && value.includes('\u0000'))).toBe(true);
    expect([...values('Inv_Current_Balances')]).toContain(`-${'9'.repeat(35)}.999`);
    expect([...values('Gen_Property_Values')]).toContain('AA==');
  });

  test('are the same for the same seed, and others for another', () => {
    const first = (seed: number) => [...createDatabase({ seed, tables: ['Inv_Lots'], rows: 0.01 }).rows('Inv_Lots')];
    expect(first(1)).toEqual(first(1));
    expect(first(1)).not.toEqual(first(2));
  });
});

describe('a change of columns', () => {
  test('adds, drops and widens without touching other values', () => {
    const small = createDatabase({ tables: ['Gen_Parties'], rows: 0.005 });
    const before = [...small.rows('Gen_Parties')];
    small.changeSchema({ kind: 'drop', table: 'Gen_Parties', column: 'GLN' });
    small.changeSchema({ kind: 'widen', table: 'Gen_Parties', column: 'Notes', type: 'nvarchar(max)' });
    small.changeSchema({
      kind: 'add',
      table: 'Gen_Parties',
      column: { name: 'Added', type: 'decimal(9, 2)', nullable: true },
    });
    const after = [...small.rows('Gen_Parties')];
    expect(after.every((row) => !('GLN' in row) && 'Added' in row)).toBe(true);
    expect(after.map(({ Added: _, ...rest }) => rest)).toEqual(before.map(({ GLN: _, ...rest }) => rest));
  });

  test('turns the values of a widened number into the new type', () => {
    const small = createDatabase({ tables: ['Crm_Sales_Order_Lines'], rows: 0.001 });
    const before = [...small.rows('Crm_Sales_Order_Lines')];
    small.changeSchema({ kind: 'widen', table: 'Crm_Sales_Order_Lines', column: 'Line_No', type: 'bigint' });
    small.changeSchema({ kind: 'widen', table: 'Crm_Sales_Order_Lines', column: 'Quantity', type: 'decimal(18, 5)' });
    const after = [...small.rows('Crm_Sales_Order_Lines')];
    expect(after.map((row) => row['Line_No'])).toEqual(before.map((row) => BigInt(row['Line_No'] as number)));
    expect(after.map((row) => row['Quantity'])).toEqual(before.map((row) => `${String(row['Quantity'])}00`));
  });
});

test('a table model that is missing, no JSON or of another form is a configuration error', () => {
  const code = (modelFile: string) => {
    try {
      createDatabase({ modelFile });
    } catch (error) {
      return (error as { code?: string }).code;
    }
    return 'none';
  };
  expect(code('/no/such/model.jsonl')).toBe('CONFIG_NOT_FOUND');
  expect(code(fileURLToPath(import.meta.url))).toBe('CONFIG_INVALID');
  expect(code(fileURLToPath(new URL('../../../package.json', import.meta.url)))).toBe('CONFIG_INVALID');
});

test('decimal texts carry all digits of their scale and no sign at zero', () => {
  expect(decimalText('5', 2, false)).toBe('0.05');
  expect(decimalText('0', 2, true)).toBe('0.00');
  expect(decimalText('123456', 2, true)).toBe('-1234.56');
  expect(decimalText('00012', 0, false)).toBe('12');
});

test('a text is never cut in the middle of a surrogate pair', () => {
  expect(cutText('ab🚀', 3)).toBe('ab');
  expect(cutText('ab🚀', 4)).toBe('ab🚀');
});

function keyName(table: string): string {
  const data = db.table(table);
  return data.keys.length === 1 ? data.columns[data.keys[0]!.column]!.name : '';
}
