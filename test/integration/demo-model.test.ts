/** `$metadata` by an independent parser (the OData committee's own), for the built-in tables and for the whole documented model. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { xml2json } from 'odata-csdl';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Client, plainRows, startClient } from '../unit/demo/support.ts';

const FILE = fileURLToPath(new URL('../../../shared/erpnet/tables.json', import.meta.url));
const present = existsSync(FILE);
if (!present) console.log('demo-model: SKIPPED the whole documented model: its file is not beside this repository');

interface Line {
  readonly name: string;
  readonly kind: string;
  readonly columns: readonly {
    name: string;
    type: string;
    pk?: number;
    references?: string;
    in?: boolean;
    filters?: string[];
    password?: boolean;
  }[];
}
type Csdl = Record<string, Record<string, Record<string, unknown>>>;

/** The entity types of a `$metadata`, as the independent parser has them. */
async function entityTypes(client: Client) {
  const messages: unknown[] = [];
  const csdl = xml2json(Buffer.from((await client.get('$metadata')).text), { strict: true, messages }) as Csdl;
  expect(messages, 'complaints of the parser').toEqual([]);
  const schema = csdl['Erp']!;
  return { schema, container: schema['Container'] as Record<string, Record<string, unknown>> };
}

const EDM: Readonly<Record<string, string>> = {
  uniqueidentifier: 'Edm.Guid',
  bit: 'Edm.Boolean',
  int: 'Edm.Int32',
  smallint: 'Edm.Int16',
  tinyint: 'Edm.Byte',
  bigint: 'Edm.Int64',
  float: 'Edm.Double',
  datetime: 'Edm.DateTimeOffset',
  date: 'Edm.Date',
  time: 'Edm.TimeOfDay',
  timestamp: 'Edm.Binary',
  varbinary: 'Edm.Binary',
};
const edmOf = (sqlType: string) => EDM[sqlType] ?? (sqlType.startsWith('decimal') ? 'Edm.Decimal' : undefined);

/** Compares what the parser read with the lines of the model. */
async function expectModel(client: Client, lines: readonly Line[]) {
  const { schema, container } = await entityTypes(client);
  const sets = Object.entries(container).filter(([name]) => !name.startsWith('$'));
  expect(sets.map(([name]) => name).sort()).toEqual(lines.map((line) => line.name).sort());
  const wrong: string[] = [];
  for (const line of lines) {
    const type = schema[line.name]!;
    const key = line.columns
      .filter((column) => column.pk)
      .sort((a, b) => a.pk! - b.pk!)
      .map((column) => column.name);
    if (JSON.stringify(type['$Key'] ?? []) !== JSON.stringify(key)) wrong.push(`${line.name}: key`);
    for (const column of line.columns) {
      const property = type[column.name] as { $Type?: string; $Scale?: number; $Precision?: number } | undefined;
      if (property === undefined) wrong.push(`${line.name}.${column.name}: missing`);
      else if (property.$Type !== edmOf(column.type))
        wrong.push(`${line.name}.${column.name}: ${property.$Type} for ${column.type}`);
      const decimal = /^decimal\((\d+), (\d+)\)$/.exec(column.type);
      if (decimal !== null && `${property?.$Precision} ${property?.$Scale ?? 0}` !== `${decimal[1]} ${decimal[2]}`) {
        wrong.push(`${line.name}.${column.name}: facets`);
      }
      if ((property !== undefined && '@Erp.Password' in property) !== (column.password === true))
        wrong.push(`${line.name}.${column.name}: password`);
    }
  }
  expect(wrong).toEqual([]);
}

describe('the built-in tables', () => {
  test('[I] $metadata, read by an independent parser, has their keys, types and facets', async () => {
    const client = await startClient({ rows: 0.001 });
    const lines = readFileSync(new URL('../../schemas/demo/tables.jsonl', import.meta.url), 'utf8')
      .trim()
      .split('\n');
    await expectModel(
      client,
      lines.map((line) => JSON.parse(line) as Line),
    );
    const { schema } = await entityTypes(client);
    expect(schema['Crm_Sales_Order_Lines']!['Sales_Order_Reference']).toMatchObject({
      $Kind: 'NavigationProperty',
      $Type: 'Erp.Crm_Sales_Orders',
      $ReferentialConstraint: { Sales_Order_Id: 'Sales_Order_Id' },
    });
    client.demo.configure({ personality: { passwordsMarked: false } });
    expect((await client.get('$metadata')).text).not.toContain('Annotation');
    await client.close();
  });
});

describe.skipIf(!present)('the whole documented model', () => {
  let client: Client;
  let lines: readonly Line[];
  beforeAll(async () => {
    lines = JSON.parse(readFileSync(FILE, 'utf8')) as Line[];
    client = await startClient({ modelFile: FILE, modelRows: 12 });
  });
  afterAll(() => client.close());

  test('[T] 693 entity sets: their $metadata is accepted by an independent parser, with every key, type and facet', async () => {
    expect(lines.length).toBe(693);
    await expectModel(client, lines);
  });

  test('[T] 646 tables have a single key that takes ge and le, 41 views and one table none, five keys are composite', () => {
    const keys = lines.map((line) => line.columns.filter((column) => column.pk));
    const single = keys.filter((key) => key.length === 1 && key[0]!.filters?.includes('GreaterThanOrLessThan'));
    const none = keys.filter((key) => key.length === 0).length;
    expect([single.length, none, keys.filter((key) => key.length > 1).length]).toEqual([646, 42, 5]);
    const both = lines.filter(
      (line, i) => keys[i]!.length === 1 && line.columns.some((column) => column.type === 'timestamp'),
    );
    expect([both.length, both.filter((line) => line.columns.some((column) => column.pk && column.in)).length]).toEqual([
      622, 618,
    ]);
  });

  test('every entity set is served, every value as it is, keys in order and once', async () => {
    const wrong: string[] = [];
    for (const table of client.demo.tables) {
      // It tells of the very request that reads it.
      if (table.name === 'Dmv_Current_Sessions') continue;
      const page = await client.page(table.name);
      const rows = plainRows(client, table.name, page.rows);
      const expected = [...client.demo.rows(table.name)];
      if (JSON.stringify(rows, big) !== JSON.stringify(expected, big)) wrong.push(`${table.name}: values`);
      const keys = new Set(rows.map((row) => table.key.map((name) => String(row[name])).join()));
      if (table.key.length > 0 && keys.size !== rows.length) wrong.push(`${table.name}: keys`);
    }
    expect(wrong).toEqual([]);
  });

  test('[T] Dmv_Current_Sessions and Dmv_Licenses tell of seats', async () => {
    const sessions = await client.page('Dmv_Current_Sessions');
    expect(sessions.rows.map((row) => [row['User_Login'], row['Applications']])).toEqual([['backup', 'my.app/backup']]);
    expect((sessions.rows[0]!['Current_Requests_Count'] as { text: string }).text).toBe('1');
    const licenses = await client.page('Dmv_Licenses?$select=License_Count');
    expect(licenses.rows.map((row) => (row['License_Count'] as { text: string }).text)).toEqual(['20']);
  });

  test('every keyed table is read by pages and, with a single key, by key ranges', async () => {
    const wrong: string[] = [];
    for (const table of client.demo.tables) {
      if (table.rows === 0 || table.key.length === 0) continue;
      const select = table.key.join(',');
      const { rows } = await client.all(`${table.name}?$top=5&$select=${select}`);
      if (rows.length !== table.rows) wrong.push(`${table.name}: ${rows.length} of ${table.rows} by pages`);
      const column = table.columns.find((entry) => entry.name === table.key[0])!;
      if (table.key.length > 1 || column.type.kind !== 'guid') continue;
      const middle = String(rows[Math.floor(rows.length / 2)]![table.key[0]!]);
      const low = await client.page(`${table.name}?$select=${select}&$filter=${table.key[0]} le ${middle}`);
      const high = await client.page(`${table.name}?$select=${select}&$filter=${table.key[0]} ge ${middle}`);
      if (low.rows.length + high.rows.length !== table.rows + 1)
        wrong.push(`${table.name}: ${low.rows.length} + ${high.rows.length} by ranges`);
    }
    expect(wrong).toEqual([]);
  });
});

function big(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value;
}
