import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { Secret } from '../../src/core/secret.ts';
import { type DemoInstance, type Personality, type Rights, startDemo } from '../../src/demo/instance.ts';
import { openInstance } from '../../src/instance/open.ts';
import { findHiddenRows } from '../../src/read/hidden-rows.ts';
import { probeInstance } from '../../src/read/probe.ts';

let folder: string;
const never = new AbortController().signal;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-hidden-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** What the probes say of an instance with this personality. */
async function probe(
  personality: Partial<Personality>,
  rights: Partial<Rights> = {},
  ask: (demo: DemoInstance) => string | undefined = () => undefined,
) {
  const demo = await startDemo({
    tables: ['Gen_Documents', 'Gen_Properties', 'Sec_Users', 'Dmv_Table_Info'],
    tableRows: { Gen_Documents: 60, Gen_Properties: 60, Sec_Users: 30 },
    personality: { requestErrorStatus: 400, ...personality },
    rights,
  });
  const { clientId, clientSecret } = demo.credentials.service;
  const instance = await openInstance(
    {
      instance: demo.url,
      auth: { kind: 'service', clientId, clientSecret: new Secret(clientSecret) },
      endpoints: {},
      limits: { concurrency: 2, pageRows: 100, memoryMb: 64, resumeWithinMs: 0, deadlineMs: 60_000 },
    },
    { clock: systemClock, emit: () => undefined, signal: never, lockFolder: folder },
  );
  try {
    const tables = instance.model.tables.filter(({ name }) => !name.startsWith('Dmv_'));
    const chosen = tables.map((table) => ({ table, columns: table.columns.filter((column) => !column.sensitive) }));
    const { capabilities } = await probeInstance(instance, chosen, never);
    const text = ask(demo);
    const filter = text === undefined ? undefined : ({ op: 'text', text } as const);
    const hidden = new Map<string, Awaited<ReturnType<typeof findHiddenRows>>>();
    for (const table of tables)
      hidden.set(table.name, await findHiddenRows(table, filter, { instance, capabilities, signal: never }));
    return { capabilities, hidden };
  } finally {
    await instance.close();
    await demo.close();
  }
}

describe('default filters in force', () => {
  test('are found by a row that a read by its key alone does not bring, and are named in every read', async () => {
    const { hidden } = await probe({ defaultFilters: true });
    expect(hidden.get('Gen_Documents')?.groups).toEqual([{ column: 'Void', values: [true, false] }]);
    expect(hidden.get('Gen_Properties')?.groups).toEqual([{ column: 'Is_Active', values: [true, false] }]);
    expect(hidden.get('Gen_Documents')?.warnings).toEqual([
      'reads that do not name Void may leave out rows with Void true, so every read asks for them by name',
    ]);
    expect(hidden.get('Sec_Users')?.groups).toEqual([]);
  });

  test('are found by counts where the key takes no filter', async () => {
    const { hidden } = await probe({ defaultFilters: true, keyFilter: false });
    expect(hidden.get('Gen_Documents')?.groups).toEqual([{ column: 'Void', values: [true, false] }]);
    expect(hidden.get('Sec_Users')?.groups).toEqual([]);
  });

  test('are an open question where neither key nor count can tell', async () => {
    const { hidden } = await probe({ defaultFilters: false, keyFilter: false, count: false });
    expect(hidden.get('Gen_Documents')?.open).toEqual([{ column: 'Void', value: true, rowsTell: true }]);
    expect(hidden.get('Gen_Documents')?.groups).toEqual([]);
  });

  test('are not looked for in a column that the pipeline filters by itself', async () => {
    const { hidden } = await probe({ defaultFilters: true }, {}, () => 'Void eq false');
    expect(hidden.get('Gen_Documents')).toMatchObject({ groups: [], warnings: [], open: [], requests: 0 });
    expect(hidden.get('Gen_Properties')?.groups).toHaveLength(1);
  });

  test('that are not in force leave every read as it is', async () => {
    const { hidden } = await probe({});
    expect([...hidden.values()].flatMap(({ groups, warnings }) => [...groups, ...warnings])).toEqual([]);
  });
});

describe('nulls', () => {
  test('that a server leaves out are proven to be left out', async () => {
    expect((await probe({ nulls: 'omitted' })).capabilities.absentIsNull).toBe(true);
    expect((await probe({ nulls: 'omitted', properties: 'shuffled' })).capabilities.absentIsNull).toBe(true);
  });

  test('that are written make an absent property an error, also where rights take a column away', async () => {
    expect((await probe({})).capabilities.absentIsNull).toBe(false);
    const rights = { hiddenColumns: { Gen_Documents: ['Notes'], Sec_Users: ['Notes'] } };
    expect((await probe({}, rights)).capabilities.absentIsNull).toBe(false);
  });
});
