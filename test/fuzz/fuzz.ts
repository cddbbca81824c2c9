/** Draws tables and bodies, and compares what the product makes of them with the truth: values decoded, and values in Parquet files. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TablevaultError } from '../../src/core/errors.ts';
import type { Column, TypeProfile } from '../../src/core/schema.ts';
import type { Value } from '../../src/decode/values.ts';
import { WriterPool } from '../../src/parquet/pool.ts';
import { decodeBody } from '../support/decode.ts';
import { type Exact, readRows, sixDigits } from '../support/parquet.ts';
import { type Random, random as seeded } from '../torture/lib/random.ts';
import { makeBody, makeColumns } from './bodies.ts';
import { cutsOf, mutated } from './mutations.ts';
import { type Row, type Truth, truthOf } from './truth.ts';

export interface FuzzOptions {
  readonly seed: number;
  readonly untilMs: number;
  /** Bodies for each of which one goes through to a Parquet file. */
  readonly bodiesAFile: number;
}

export interface FuzzFigures {
  bodies: number;
  accepted: number;
  refused: number;
  files: number;
  /** Each with the seed of its case: FUZZ_SEED begins with it. */
  readonly faults: string[];
}

const MAX_FAULTS = 5;
/** A body of a few kilobytes takes less than a millisecond; one that takes so long does not end. */
const MAX_CASE_MS = 5_000;

export async function fuzz({ seed, untilMs, bodiesAFile }: FuzzOptions): Promise<FuzzFigures> {
  const figures: FuzzFigures = { bodies: 0, accepted: 0, refused: 0, files: 0, faults: [] };
  const folder = await mkdtemp(join(tmpdir(), 'tablevault-fuzz-'));
  const pool = new WriterPool(1);
  try {
    for (let n = 0; Date.now() < untilMs && figures.faults.length < MAX_FAULTS; n++) {
      const one = drawCase(seeded(seed + n));
      const begun = Date.now();
      const fault =
        decodeCase(one, figures) ?? (n % bodiesAFile === 0 ? await writeCase(one, pool, folder, figures) : undefined);
      const slow = Date.now() - begun > MAX_CASE_MS * (n % bodiesAFile === 0 ? 10 : 1) ? 'it took too long' : undefined;
      if ((fault ?? slow) !== undefined)
        figures.faults.push(`seed ${seed + n}: ${fault ?? slow}; the body: ${one.shown}`);
    }
  } finally {
    await pool.close();
    await rm(folder, { recursive: true, force: true });
  }
  return figures;
}

interface Case {
  readonly columns: readonly Column[];
  readonly absentIsNull: boolean;
  readonly body: Uint8Array;
  readonly cuts: readonly number[];
  readonly batchRows: number;
  readonly profile: TypeProfile;
  readonly truth: Truth;
  readonly shown: string;
}

function drawCase(random: Random): Case {
  const columns = makeColumns(random);
  const absentIsNull = random.chance(0.3);
  const sound = new TextEncoder().encode(makeBody(columns, absentIsNull, random));
  const body = random.chance(0.5) ? mutated(sound, random) : sound;
  const types = columns.map(
    ({ name, type, nullable }) => `${name} ${JSON.stringify(type)}${nullable ? '' : ' not null'}`,
  );
  return {
    columns,
    absentIsNull,
    body,
    cuts: cutsOf(body.length, random),
    batchRows: 1 + random.below(20),
    profile: random.pick(['portable', 'native']),
    truth: truthOf(body, columns, absentIsNull),
    shown: `${JSON.stringify(Buffer.from(body).toString('latin1'))} for ${types.join(', ')}${absentIsNull ? ', nulls left out' : ''}`,
  };
}

function decodeCase(
  { columns, absentIsNull, body, cuts, batchRows, truth }: Case,
  figures: FuzzFigures,
): string | undefined {
  figures.bodies++;
  let rows: readonly Row[];
  try {
    rows = decodeBody(columns, body, { cuts, absentIsNull, batchRows }).rows;
  } catch (thrown) {
    return refusal(thrown, truth, figures);
  }
  figures.accepted++;
  if (truth.is === 'either') return undefined;
  return truth.is === 'refused' ? 'it was accepted' : difference(rows, truth.rows, columns, (value) => value);
}

function refusal(thrown: unknown, truth: Truth, figures: FuzzFigures): string | undefined {
  if (!(thrown instanceof TablevaultError) || thrown.code === 'BUG') return `it ended by ${String(thrown)}`;
  figures.refused++;
  return truth.is === 'rows' ? `it was refused: ${thrown.message} ${JSON.stringify(thrown.at)}` : undefined;
}

async function writeCase(
  one: Case,
  pool: WriterPool,
  folder: string,
  figures: FuzzFigures,
): Promise<string | undefined> {
  const { columns, absentIsNull, body, cuts, profile, truth } = one;
  const sink = await pool.open(
    {
      table: 'T',
      columns,
      key: [],
      profile,
      compression: 'zstd',
      partRows: 7,
      path: join(folder, `file-${figures.files++}`),
      metadata: {},
      absentIsNull,
      groupBytes: 48 * 1024 * 1024,
      maxRowBytes: 1024 * 1024,
    },
    {},
  );
  try {
    sink.begin(null);
    const places = [...new Set([0, ...cuts, body.length])].sort((a, b) => a - b);
    for (let i = 1; i < places.length; i++) await sink.write(body.subarray(places[i - 1], places[i]));
    await sink.end();
    const parts = await sink.finish();
    if (truth.is === 'refused') return 'it was accepted into a file';
    if (truth.is === 'either') return undefined;
    const rows = (await Promise.all(parts.map(({ path }) => readRows(path)))).flat();
    await Promise.all(parts.map(({ path }) => rm(path)));
    const inFile = (value: Value, { type }: Column): Exact => {
      if (value === null) return null;
      if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
      if (type.kind === 'int64') return BigInt(value);
      return type.kind === 'timestamp' || (type.kind === 'time' && profile === 'native')
        ? sixDigits(String(value))
        : value;
    };
    return difference(rows, truth.rows, columns, inFile);
  } catch (thrown) {
    sink.abort();
    return refusal(thrown, truth, figures);
  }
}

/** The first value that is another than it should be. */
function difference(
  have: readonly Readonly<Record<string, unknown>>[],
  want: readonly Row[],
  columns: readonly Column[],
  spelled: (value: Value, column: Column) => unknown,
): string | undefined {
  if (have.length !== want.length) return `${have.length} rows came, not ${want.length}`;
  for (const [index, row] of want.entries()) {
    for (const column of columns) {
      const [is, should] = [have[index]![column.name], spelled(row[column.name] ?? null, column)];
      const same =
        is instanceof Uint8Array && should instanceof Uint8Array
          ? Buffer.compare(is, should) === 0
          : Object.is(is, should);
      if (!same) return `row ${index}, ${column.name}: ${show(is)} in place of ${show(should)}`;
    }
  }
  return undefined;
}

const show = (value: unknown) =>
  Object.is(value, -0) ? '-0' : typeof value === 'string' ? JSON.stringify(value) : String(value);
