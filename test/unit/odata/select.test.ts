import { describe, expect, it } from 'vitest';
import { nearNames } from '../../../src/core/near-names.ts';
import type { Column, TableSchema } from '../../../src/core/schema.ts';
import { readSensitiveColumns } from '../../../src/instance/sensitive.ts';
import { selectColumns, selectTables } from '../../../src/odata/select.ts';
import { crossCheck, parseServiceDocument } from '../../../src/odata/service.ts';
import { fingerprintOf } from '../../../src/read/fingerprint.ts';
import { scanKeyOf } from '../../../src/scan/key.ts';

function tableOf(
  name: string,
  columns: readonly string[] = ['Id', 'Row_Version'],
  sensitive: readonly string[] = [],
): TableSchema {
  return {
    name,
    key: columns.includes('Id') ? ['Id'] : [],
    navigations: [],
    columns: columns.map((column) => ({
      name: column,
      edmType: 'Edm.String',
      type: { kind: 'text' },
      nullable: true,
      sensitive: sensitive.includes(column),
    })),
  };
}
const modelOf = (...names: string[]) => ({ tables: names.map((name) => tableOf(name)), warnings: [] });
const erp = modelOf('Gen_Documents', 'Gen_Parties', 'Crm_Sales_Orders', 'Crm_Sales_Order_Lines', 'Dmv_Table_Info');
const chosen = (...args: Parameters<typeof selectTables>) => selectTables(...args).tables.map(({ name }) => name);

describe('the choice of tables', () => {
  it('takes what a glob includes and none excludes, in the order of the model', () => {
    expect(chosen(erp, ['*'], ['Dmv_*'])).toEqual([
      'Gen_Documents',
      'Gen_Parties',
      'Crm_Sales_Orders',
      'Crm_Sales_Order_Lines',
    ]);
    expect(chosen(erp, ['Crm_*', 'Gen_Documents'], [])).toEqual([
      'Gen_Documents',
      'Crm_Sales_Orders',
      'Crm_Sales_Order_Lines',
    ]);
  });

  it.each([
    ['Gen_Docments', 'Gen_Documents'],
    ['gen_documents', 'Gen_Documents'],
    ['Sales_Orders', 'Crm_Sales_Orders'],
    ['Gne_*', 'Gen_Documents'],
  ])('refuses %s, which matches nothing, and suggests %s', (pattern, near) => {
    expect(() => selectTables(erp, [pattern], [])).toThrow(
      expect.objectContaining({ code: 'TABLE_UNKNOWN', message: expect.stringContaining(near) }),
    );
  });

  it('refuses settings for a table that is not there: its filter would silently not apply', () => {
    expect(() => selectTables(erp, ['*'], [], ['Gen_Document'])).toThrow(
      expect.objectContaining({ code: 'TABLE_UNKNOWN', message: expect.stringContaining('Gen_Documents') }),
    );
  });

  it('refuses to read nothing', () => {
    expect(() => selectTables(erp, ['*'], ['*'])).toThrow(expect.objectContaining({ code: 'TABLE_UNKNOWN' }));
  });

  it('only warns of an exclusion that matches nothing', () => {
    expect(selectTables(erp, ['*'], ['Xyz_*']).warnings).toEqual([expect.stringContaining('Xyz_*')]);
  });

  it.each(['../x', 'CON', 'NUL', 'x'.repeat(300)])('refuses the hostile name %s only when it is chosen', (name) => {
    const model = modelOf('Gen_Documents', name);
    expect(() => selectTables(model, ['*', name], [])).toThrow(expect.objectContaining({ code: 'INSTANCE_ANSWER' }));
    expect(chosen(model, ['Gen_*'], [])).toEqual(['Gen_Documents']);
  });

  it('refuses two tables that differ by case alone only when both are chosen', () => {
    const model = modelOf('Docs', 'DOCS');
    expect(() => selectTables(model, ['*'], [])).toThrow(
      expect.objectContaining({ message: expect.stringContaining('upper and lower case') }),
    );
    expect(chosen(model, ['Docs'], [])).toEqual(['Docs']);
  });

  it.each([[['Id', 'a,b']], [['Id', '__proto__']], [['Id', 'Name', 'NAME']], [[]]])('refuses columns %j', (columns) => {
    const model = { tables: [tableOf('T', columns)], warnings: [] };
    expect(() => selectTables(model, ['T'], [])).toThrow(expect.objectContaining({ code: 'INSTANCE_ANSWER' }));
  });
});

describe('the choice of columns', () => {
  const users = tableOf('Sec_Users', ['Id', 'Name', 'Notes', 'Password', 'Pin', 'Row_Version'], ['Pin']);
  const pick = (columns?: readonly string[]) => {
    const { columns: read, leftOut } = selectColumns(users, columns === undefined ? undefined : { columns }, [
      'Sec_Users.Password',
    ]);
    return { read: read.map(({ name }) => name), leftOut: leftOut.map(({ name, reason }) => `${name}: ${reason}`) };
  };

  it('is everything but the sensitive ones, which it names', () => {
    expect(pick()).toEqual({
      read: ['Id', 'Name', 'Notes', 'Row_Version'],
      leftOut: ['Password: sensitive', 'Pin: sensitive'],
    });
  });

  it('applies globs in order', () => {
    expect(pick(['*', '-N*', 'Notes']).read).toEqual(['Id', 'Notes', 'Row_Version']);
    expect(pick(['-Notes']).read).toEqual(['Id', 'Name', 'Row_Version']);
    expect(pick(['Name']).leftOut).toContain('Notes: not selected');
  });

  it('always reads key and Row_Version', () => {
    expect(pick(['*', '-Id', '-Row_Version']).read).toEqual(expect.arrayContaining(['Id', 'Row_Version']));
  });

  it('reads a sensitive column only where it is named, not by a glob', () => {
    expect(pick(['*', 'Pass*']).read).not.toContain('Password');
    expect(pick(['*', 'Password', 'Pin']).read).toEqual(['Id', 'Name', 'Notes', 'Password', 'Pin', 'Row_Version']);
    expect(pick(['*', 'Password', '-Password']).read).not.toContain('Password');
  });

  it('refuses a pattern that matches nothing, since a column may be left in by a slip', () => {
    expect(() => pick(['*', '-Ntoes'])).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining('Notes') }),
    );
  });
});

describe('columns kept as text', () => {
  const guid = { name: 'Id', edmType: 'Edm.Guid', type: { kind: 'guid' }, nullable: false, sensitive: false } as const;
  const flag = {
    name: 'Void',
    edmType: 'Edm.Boolean',
    type: { kind: 'boolean' },
    nullable: false,
    sensitive: false,
  } as const;
  const schema: TableSchema = { name: 'T', key: ['Id'], navigations: [], columns: [guid, flag] };
  const choose = (types: Record<string, 'text'>) => selectColumns(schema, { types }, []);

  it('are read as whatever comes, null too, and are stored as text', () => {
    expect(choose({ Void: 'text' }).columns).toEqual([guid, { ...flag, type: { kind: 'json' }, nullable: true }]);
  });

  it('keep their declared type in the table, so that filters on them stay right', () => {
    expect(choose({ Void: 'text' }).table).toEqual(schema);
  });

  it('may be the key, by which no range is asked for then', () => {
    const { table, columns } = choose({ Id: 'text' });
    expect(columns[0]).toEqual({ ...guid, type: { kind: 'json' } });
    expect(scanKeyOf(schema, schema.columns)?.column).toBe('Id');
    expect(scanKeyOf(table, columns)).toBeNull();
  });

  it('have another fingerprint', () => {
    const of = (columns: readonly Column[]) => fingerprintOf(columns, ['Id'], 'portable');
    expect(of(choose({ Void: 'text' }).columns)).not.toBe(of(choose({}).columns));
  });

  it('must exist', () => {
    expect(() => choose({ Viod: 'text' })).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: expect.stringMatching(/^tables\.overrides\.T\.types: there is no column "Viod"; near names: .*Void/),
      }),
    );
    expect(() => choose({ Quantity: 'text' })).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/there is no column "Quantity"; its columns: Id, /),
        hint: expect.stringContaining('tables <pipeline> --columns T'),
      }),
    );
    expect(() => choose(JSON.parse(`{"toString":"text"}`))).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
  });
});

describe('the list of sensitive columns', () => {
  it('names each once, as Table.Column', () => {
    const list = readSensitiveColumns();
    expect(list).toContain('Sec_Users.Password');
    expect(new Set(list).size).toBe(list.length);
    for (const name of list) expect(name).toMatch(/^\w+\.\w+$/);
  });
});

describe('near names', () => {
  it('are three at most, the nearest first, and none for nonsense', () => {
    const names = ['Gen_Documents', 'Gen_Document_Types', 'Gen_Document_Lines', 'Gen_Documents_Old'];
    expect(nearNames('Gen_Documnts', names)[0]).toBe('Gen_Documents');
    expect(nearNames('Document', names)).toHaveLength(3);
    expect(nearNames('Zzz', names)).toEqual([]);
    expect(nearNames('*', names)).toEqual([]);
  });
});

describe('the service document', () => {
  it('lists entity sets, not functions or singletons', () => {
    const text = JSON.stringify({
      value: [
        { name: 'A', kind: 'EntitySet', url: 'A' },
        { name: 'B' },
        { name: 'F', kind: 'FunctionImport', url: 'F' },
      ],
    });
    expect(parseServiceDocument(text)).toEqual([
      { name: 'A', url: 'A' },
      { name: 'B', url: 'B' },
    ]);
  });

  it.each(['', '<html>', '{"value":1}', '[]', '{"error":{}}'])('%j is not one', (text) => {
    expect(() => parseServiceDocument(text)).toThrow(expect.objectContaining({ code: 'INSTANCE_ANSWER' }));
  });

  it('is compared with $metadata both ways', () => {
    const entry = (name: string, url = name) => ({ name, url });
    const warnings = crossCheck(modelOf('A', 'B', 'C'), [entry('A'), entry('X\u001b'), entry('C', 'elsewhere')]);
    expect(warnings).toHaveLength(3);
    expect(warnings[0]).toMatch(/^X\\u\{1b\} .*cannot be read/);
    expect(warnings[1]).toMatch(/^B is in \$metadata/);
    expect(warnings[2]).toMatch(/^C: .*another address/);
  });
});
