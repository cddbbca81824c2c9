import { describe, expect, it } from 'vitest';
import { CSDL_LIMITS } from '../../../src/odata/csdl.ts';
import { parseMetadata } from '../../../src/odata/metadata.ts';

const bytes = (text: string) => [new TextEncoder().encode(text)];

function csdl(inside: string, sets = '<EntitySet Name="Docs" EntityType="Erp.Doc"/>', schema = ''): string {
  return `<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>
<Schema Namespace="Erp" Alias="Self" xmlns="http://docs.oasis-open.org/odata/ns/edm">${inside}
<EntityContainer Name="Container">${sets}</EntityContainer>${schema}</Schema></edmx:DataServices></edmx:Edmx>`;
}

const doc = (properties: string) =>
  csdl(
    `<EntityType Name="Doc"><Key><PropertyRef Name="Id"/></Key><Property Name="Id" Type="Edm.Guid" Nullable="false"/>${properties}</EntityType>`,
  );

async function columnOf(attributes: string, inside = '') {
  const text = `${doc(`<Property Name="X" ${attributes}/>`)}`;
  const model = await parseMetadata(bytes(text.replace('<EntityContainer', `${inside}<EntityContainer`)));
  return model.tables[0]?.columns[1];
}

describe('types of $metadata', () => {
  it.each([
    ['Type="Edm.Boolean"', { kind: 'boolean' }],
    ['Type="Edm.SByte"', { kind: 'int8' }],
    ['Type="Edm.Byte"', { kind: 'uint8' }],
    ['Type="Edm.Int16"', { kind: 'int16' }],
    ['Type="Edm.Int32"', { kind: 'int32' }],
    ['Type="Edm.Int64"', { kind: 'int64' }],
    ['Type="Edm.Single"', { kind: 'float32' }],
    ['Type="Edm.Double"', { kind: 'float64' }],
    ['Type="Edm.Guid"', { kind: 'guid' }],
    ['Type="Edm.String" MaxLength="30"', { kind: 'text' }],
    ['Type="Edm.Binary"', { kind: 'binary' }],
    ['Type="Edm.DateTimeOffset" Precision="3"', { kind: 'timestamp' }],
    ['Type="Edm.Date"', { kind: 'date' }],
    ['Type="Edm.TimeOfDay"', { kind: 'time' }],
    ['Type="Edm.Decimal" Precision="18" Scale="2"', { kind: 'decimal', precision: 18, scale: 2 }],
    ['Type="Edm.Decimal" Precision="38" Scale="38"', { kind: 'decimal', precision: 38, scale: 38 }],
    ['Type="Edm.Decimal"', { kind: 'decimalText' }],
    ['Type="Edm.Decimal" Precision="18"', { kind: 'decimalText' }],
    ['Type="Edm.Decimal" Precision="39" Scale="2"', { kind: 'decimalText' }],
    ['Type="Edm.Decimal" Precision="10" Scale="variable"', { kind: 'decimalText' }],
    ['Type="Edm.Decimal" Precision="2" Scale="3"', { kind: 'decimalText' }],
    ['Type="Edm.Duration"', { kind: 'json' }],
    ['Type="Edm.GeographyPoint"', { kind: 'json' }],
    ['Type="Erp.State"', { kind: 'json' }],
    ['Type="Collection(Edm.String)"', { kind: 'json' }],
    ['Type="constructor"', { kind: 'json' }],
  ])('%s', async (attributes, type) => {
    expect((await columnOf(attributes))?.type).toEqual(type);
  });

  it('follow type definitions', async () => {
    const definition = '<TypeDefinition Name="Money" UnderlyingType="Edm.Decimal" Precision="18" Scale="4"/>';
    expect(await columnOf('Type="Self.Money"', definition)).toMatchObject({
      edmType: 'Self.Money',
      type: { kind: 'decimal', precision: 18, scale: 4 },
    });
  });

  it('are nullable unless they say otherwise or are part of the key', async () => {
    expect((await columnOf('Type="Edm.Int32"'))?.nullable).toBe(true);
    expect((await columnOf('Type="Edm.Int32" Nullable="false"'))?.nullable).toBe(false);
    const forgotten = doc('').replace(' Nullable="false"', '');
    expect((await parseMetadata(bytes(forgotten))).tables[0]?.columns[0]?.nullable).toBe(false);
  });
});

describe('tables of $metadata', () => {
  it('have keys, columns in order and navigation properties', async () => {
    const text = doc(
      `<Property Name="Customer_Id" Type="Edm.Guid"/>
       <NavigationProperty Name="Customer_Reference" Type="Erp.Customer"><ReferentialConstraint Property="Customer_Id" ReferencedProperty="Id"/></NavigationProperty>
       <NavigationProperty Name="Lines" Type="Collection(Erp.Line)"/>`,
    );
    expect(await parseMetadata(bytes(text))).toMatchObject({
      tables: [
        {
          name: 'Docs',
          key: ['Id'],
          columns: [{ name: 'Id' }, { name: 'Customer_Id' }],
          navigations: [
            { name: 'Customer_Reference', target: 'Customer', collection: false },
            { name: 'Lines', target: 'Line', collection: true },
          ],
        },
      ],
      warnings: [],
    });
  });

  it('inherit columns and key from base types, through an alias', async () => {
    const text = csdl(
      `<EntityType Name="Doc" BaseType="Self.Base"><Property Name="B" Type="Edm.Int32"/></EntityType>
       <EntityType Name="Base" Abstract="true"><Key><PropertyRef Name="Id"/></Key><Property Name="Id" Type="Edm.Guid"/></EntityType>`,
      '<EntitySet Name="Docs" EntityType="Self.Doc"/>',
    );
    const [table] = (await parseMetadata(bytes(text))).tables;
    expect(table?.columns.map(({ name }) => name)).toEqual(['Id', 'B']);
    expect(table?.key).toEqual(['Id']);
  });

  it('of a view have no key', async () => {
    const text = csdl('<EntityType Name="Doc"><Property Name="A" Type="Edm.Int32"/></EntityType>');
    expect((await parseMetadata(bytes(text))).tables[0]?.key).toEqual([]);
  });

  it.each([
    ['a type that is not there', csdl(''), 'not in $metadata'],
    ['base types in a circle', csdl('<EntityType Name="Doc" BaseType="Erp.Doc"/>'), 'not in $metadata'],
    ['a set listed twice', doc('').replace(/(<EntitySet [^>]*>)/, '$1$1'), 'twice'],
    ['a key that is no column', doc('').replace('PropertyRef Name="Id"', 'PropertyRef Name="Other"'), 'without key'],
    ['a stream', doc('<Property Name="S" Type="Edm.Stream"/>'), 'stream'],
  ])('with %s are warned of by name', async (_, text, warning) => {
    const { warnings } = await parseMetadata(bytes(text));
    expect(warnings).toEqual([expect.stringContaining(warning)]);
    expect(warnings[0]).toMatch(/^Docs/);
  });

  it('come out the same whatever the chunks, letters cut in two included', async () => {
    const whole = new TextEncoder().encode(doc('<Property Name="Имя" Type="Edm.String"/>'));
    const expected = await parseMetadata([whole]);
    const one = Array.from(whole, (byte) => Uint8Array.of(byte));
    expect(await parseMetadata(one)).toEqual(expected);
    expect(expected.tables[0]?.columns[1]?.name).toBe('Имя');
  });
});

describe('sensitive columns of $metadata', () => {
  const inline = (annotation: string) => doc(`<Property Name="X" Type="Edm.String">${annotation}</Property>`);
  const target = (path: string, annotation: string) =>
    doc('<Property Name="X" Type="Edm.String"/>').replace(
      '</Schema>',
      `<Annotations Target="${path}">${annotation}</Annotations></Schema>`,
    );
  const PASSWORD = '<Annotation Term="Erp.Password" Bool="true"/>';

  it.each([
    ['inline', inline(PASSWORD), true],
    ['inline without a value', inline('<Annotation Term="Erp.IsSensitive"/>'), true],
    ['inline that says no', inline('<Annotation Term="Erp.Password" Bool="false"/>'), false],
    [
      'inline that says no in an element',
      inline('<Annotation Term="Erp.Password"><Bool>false</Bool></Annotation>'),
      false,
    ],
    ['inline of another meaning', inline('<Annotation Term="Core.Description" String="password"/>'), false],
    ['out of line', target('Erp.Doc/X', PASSWORD), true],
    ['out of line by alias', target('Self.Doc/X', PASSWORD), true],
    ['out of line by the container', target('Erp.Container/Docs/X', PASSWORD), true],
    ['out of line on another column', target('Erp.Doc/Id', PASSWORD), false],
  ])('are marked %s', async (_, text, sensitive) => {
    expect((await parseMetadata(bytes(text))).tables[0]?.columns[1]?.sensitive).toBe(sensitive);
  });
});

describe('what rows may carry beside the columns of their table', () => {
  const derived = (base: string, attributes: string, derivedOnes: string) =>
    csdl(
      `<EntityType Name="Doc" ${attributes}><Key><PropertyRef Name="Id"/></Key><Property Name="Id" Type="Edm.Guid"/></EntityType>
       ${derivedOnes}`.replaceAll('BASE', base),
    );

  it.each(['Erp.Doc', 'Self.Doc'])('is told of every type derived from %s, with its columns', async (base) => {
    const text = derived(
      base,
      '',
      `<EntityType Name="Invoice" BaseType="BASE"><Property Name="Total" Type="Edm.Int32"/><Property Name="Due" Type="Edm.Date"/></EntityType>
       <EntityType Name="Credit" BaseType="Erp.Invoice"><Property Name="Reason" Type="Edm.String"/></EntityType>
       <EntityType Name="Plain" BaseType="BASE"/><EntityType Name="Other"><Property Name="X" Type="Edm.Int32"/></EntityType>`,
    );
    const [table] = (await parseMetadata(bytes(text))).tables;
    expect(table?.columns.map(({ name }) => name)).toEqual(['Id']);
    expect(table?.notRead).toEqual([
      'rows may be of the derived type Erp.Credit; its columns are not read: Reason',
      'rows may be of the derived type Erp.Invoice; its columns are not read: Due, Total',
    ]);
  });

  it.each([
    ['the type itself', derived('Erp.Doc', 'OpenType="true"', ''), 'Erp.Doc'],
    ['a derived type', derived('Erp.Doc', '', '<EntityType Name="Any" BaseType="BASE" OpenType="true"/>'), 'Erp.Any'],
  ])('is told where %s is open', async (_, text, name) => {
    const [table] = (await parseMetadata(bytes(text))).tables;
    expect(table?.notRead).toEqual([expect.stringContaining(`open type ${name} may carry properties`)]);
  });

  it('is nothing for a table of a plain type', async () => {
    expect((await parseMetadata(bytes(doc('')))).tables[0]).not.toHaveProperty('notRead');
  });

  it('singletons are named as not read', async () => {
    const sets = '<EntitySet Name="Docs" EntityType="Erp.Doc"/><Singleton Name="Me" Type="Erp.Doc"/>';
    const text = doc('').replace('<EntitySet Name="Docs" EntityType="Erp.Doc"/>', sets);
    expect((await parseMetadata(bytes(text))).warnings).toEqual([
      expect.stringMatching(/^Me is a singleton.*not read/),
    ]);
  });
});

describe('$metadata of another version than V4', () => {
  const old = (root: string, services: string, schema: string) =>
    `<edmx:Edmx ${root}><edmx:DataServices ${services} xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"><Schema Namespace="N" ${schema}>
<EntityType Name="T"><Key><PropertyRef Name="Id"/></Key><Property Name="Id" Type="Edm.Guid" Nullable="false"/></EntityType>
<EntityContainer Name="C"><EntitySet Name="T" EntityType="N.T"/></EntityContainer></Schema></edmx:DataServices></edmx:Edmx>`;
  const V4 = 'Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"';
  const V1 = 'Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx"';

  it.each([
    ['V2', old(V1, 'm:DataServiceVersion="2.0"', 'xmlns="http://schemas.microsoft.com/ado/2008/09/edm"')],
    ['V3', old(V1, 'm:DataServiceVersion="3.0"', 'xmlns="http://schemas.microsoft.com/ado/2009/11/edm"')],
    ['V3', old('Version="4.0"', 'm:DataServiceVersion="3.0;"', '')],
    ['V1 to V3', old(V1, '', '')],
    ['V1 to V3', old('Version="4.0"', '', 'xmlns="http://schemas.microsoft.com/ado/2006/04/edm"')],
    ['another version', old('Version="5.0"', '', '')],
  ])('%s is named as such, with what is needed', async (name, text) => {
    await expect(parseMetadata(bytes(text))).rejects.toMatchObject({
      code: 'INSTANCE_ANSWER',
      retryable: false,
      message: expect.stringMatching(new RegExp(`OData .*${name}.*not of OData V4`)),
      hint: expect.stringContaining('reads OData V4 only'),
    });
  });

  it.each(['4.0', '4.01'])('is not what %s is', async (version) => {
    const text = old(V4.replace('4.0', version), '', 'xmlns="http://docs.oasis-open.org/odata/ns/edm"');
    expect((await parseMetadata(bytes(text))).tables).toHaveLength(1);
  });
});

describe('hostile or broken $metadata', () => {
  it('with an entity bomb is refused', async () => {
    const bomb = `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Edmx>&b;</Edmx>`;
    await expect(parseMetadata(bytes(bomb))).rejects.toMatchObject({
      code: 'INSTANCE_ANSWER',
      message: expect.stringContaining('DOCTYPE'),
    });
  });

  it('that is nested without end is refused', async () => {
    await expect(parseMetadata(bytes(`<Edmx>${'<a>'.repeat(100)}`))).rejects.toMatchObject({ code: 'INSTANCE_ANSWER' });
  });

  it('that never ends is refused', async () => {
    async function* endless() {
      yield new TextEncoder().encode('<Edmx>');
      for (;;) yield new TextEncoder().encode('<a/>'.repeat(1000));
    }
    await expect(parseMetadata(endless(), { ...CSDL_LIMITS, maxBytes: 1e6 })).rejects.toMatchObject({
      code: 'INSTANCE_ANSWER',
    });
    await expect(parseMetadata(endless(), { ...CSDL_LIMITS, maxElements: 5000 })).rejects.toMatchObject({
      code: 'INSTANCE_ANSWER',
    });
  });

  it('that is a sign-in page is called one', async () => {
    await expect(parseMetadata(bytes('<html><body>Sign in</body></html>'))).rejects.toMatchObject({
      code: 'INSTANCE_ANSWER',
      message: expect.stringContaining('<html>'),
    });
  });

  it.each(['', '   ', '{"error":{}}', '<Edmx><a></b></Edmx>', '<Edmx>&foo;</Edmx>'])(
    '%j is an error, not an empty model',
    async (text) => {
      await expect(parseMetadata(bytes(text))).rejects.toMatchObject({ exitCode: expect.any(Number) });
    },
  );

  it('that is not UTF-8 is refused', async () => {
    await expect(parseMetadata([Uint8Array.of(0xff, 0xfe, 0x3c)])).rejects.toMatchObject({ code: 'INSTANCE_ANSWER' });
  });

  it('that ends anywhere before its last element is a retryable failure', async () => {
    const whole = new TextEncoder().encode(doc('<Property Name="X" Type="Edm.String"/>').trim());
    for (let end = 0; end < whole.length; end += 7) {
      await expect(parseMetadata([whole.slice(0, end)]), `cut at ${end}`).rejects.toMatchObject({
        code: 'BODY_TRUNCATED',
        retryable: true,
      });
    }
  });
});
