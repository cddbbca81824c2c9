/**
 * Response bytes to Parquet with zstd on two cores: the product's writer pool against DuckDB's `read_json` and COPY, and against the plain
 * pipeline; the same pages, the same column types, interleaved rounds, every output checked.
 */

import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { MOST_GROUP_BYTES } from '../src/parquet/group-bytes.ts';
import { WriterPool } from '../src/parquet/pool.ts';
import {
  copyByDuckdb,
  DUCKDB_SETTINGS,
  type DuckdbSetting,
  describeSetting,
  inputOf,
  type PagesOnDisk,
  writePages,
} from './lib/duckdb-parquet.ts';
import { type Checksums, checksumsOf, checksumsOfParquet } from './lib/expected.ts';
import { ORDER_LINES_KEY, orderLineColumns, orderLinePages } from './lib/order-lines.ts';
import { writePlain } from './lib/plain-parquet.ts';
import { assertSame, program } from './lib/program.ts';
import type {
  DuckdbInput,
  DuckdbTrial,
  OpponentResult,
  ParquetResult,
  PlainResult,
  Profile,
  ProfileResult,
} from './lib/results.ts';
import { ratios, spread } from './lib/stats.ts';

const PAGE_ROWS = 1000;
const CHUNK_BYTES = 64 * 1024;
const WRITERS = 2;
const PROFILES: readonly Profile[] = ['portable', 'native'];
const INPUTS: readonly DuckdbInput[] = ['pages', 'lines', 'text'];
/** What parquetjs-lite can do of compressions; the faster one is the opponent. */
const PLAIN_COMPRESSIONS = ['SNAPPY', 'GZIP'];

/** A way from pages to Parquet files. */
interface Contestant {
  readonly name: string;
  readonly expected: Checksums;
  /** Writes files to an empty folder and names them. */
  run(folder: string): Promise<readonly string[]>;
}

interface Score {
  readonly rowsPerSecond: number[];
  parquetBytes: number;
}

await program('parquet', async ({ smoke, say }): Promise<ParquetResult> => {
  const pages = orderLinePages(smoke ? 8 : 110, PAGE_ROWS);
  const sample = pages.slice(0, smoke ? 1 : 5);
  const rounds = smoke ? 2 : 5;
  const expected = checksumsOf(pages);
  const sampleExpected = checksumsOf(sample);
  const root = await mkdtemp(join(tmpdir(), 'tablevault-bench-'));
  const checker = await (await DuckDBInstance.create(':memory:')).connect();
  const pool = new WriterPool(WRITERS);
  try {
    await mkdir(join(root, 'pages'));
    const onDisk = await writePages(pages, join(root, 'pages'));
    const measure = (contestant: Contestant) => runOnce(contestant, join(root, 'out'), checker);
    const byDuckdb = (profile: Profile, setting: DuckdbSetting) => duckdbContestant(onDisk, profile, setting, expected);

    const trials: { readonly setting: DuckdbSetting; readonly rowsPerSecond: number }[] = [];
    for (const setting of DUCKDB_SETTINGS) {
      const { rowsPerSecond } = await measure(byDuckdb('portable', setting));
      trials.push({ setting, rowsPerSecond });
      say(`DuckDB, ${describeSetting(setting)}: ${Math.round(rowsPerSecond)} rows/s`);
    }
    const best = Object.fromEntries(
      INPUTS.map((input) => [
        input,
        trials
          .filter(({ setting }) => inputOf(setting) === input)
          .reduce((a, b) => (b.rowsPerSecond > a.rowsPerSecond ? b : a)).setting,
      ]),
    ) as Record<DuckdbInput, DuckdbSetting>;

    const contestants: readonly Contestant[] = [
      ...PROFILES.flatMap((profile) => [
        ours(pool, pages, profile, expected),
        ...INPUTS.map((input) => ({ ...byDuckdb(profile, best[input]), name: `DuckDB ${input} ${profile}` })),
      ]),
      ...PLAIN_COMPRESSIONS.map((compression) => plain(sample, compression, sampleExpected)),
    ];
    const scores = await play(contestants, rounds, measure, say);

    const profiles = {} as Record<Profile, ProfileResult>;
    for (const profile of PROFILES) {
      const duckdbBytes = await bytesOfOneFile(
        byDuckdb(profile, { layout: 'text', threads: 1, keepOrder: true }),
        root,
      );
      const tablevaultBytes = await bytesOfOneFile(ours(pool, pages, profile, expected, 1), root);
      profiles[profile] = profileResult(profile, scores, best, { tablevaultBytes, duckdbBytes });
    }
    return {
      rows: expected.rows,
      bytes: pages.reduce((sum, page) => sum + page.length, 0),
      rounds,
      profiles,
      duckdbSettings: trials.map(
        ({ setting, rowsPerSecond }): DuckdbTrial => ({
          setting: describeSetting(setting),
          input: inputOf(setting),
          rowsPerSecond,
        }),
      ),
      plain: PLAIN_COMPRESSIONS.map((compression): PlainResult => {
        const { rowsPerSecond, parquetBytes } = scores.get(`plain ${compression}`)!;
        const rows = sampleExpected.rows;
        return {
          compression,
          rows,
          rowsPerSecond: spread(rowsPerSecond),
          parquetBytesPerRow: parquetBytes / rows,
        };
      }),
    };
  } finally {
    await pool.close();
    checker.closeSync();
    await rm(root, { recursive: true, force: true });
  }
});

/** All contestants in each round, one after the other; the first round only warms up. */
async function play(
  contestants: readonly Contestant[],
  rounds: number,
  measure: (contestant: Contestant) => Promise<{ rowsPerSecond: number; parquetBytes: number }>,
  say: (line: string) => void,
): Promise<ReadonlyMap<string, Score>> {
  const scores = new Map<string, Score>();
  for (let round = 0; round <= rounds; round++) {
    for (const contestant of contestants) {
      const { rowsPerSecond, parquetBytes } = await measure(contestant);
      if (round === 0) continue;
      const score = scores.get(contestant.name) ?? { rowsPerSecond: [], parquetBytes };
      score.rowsPerSecond.push(rowsPerSecond);
      score.parquetBytes = parquetBytes;
      scores.set(contestant.name, score);
      say(`round ${round}, ${contestant.name}: ${Math.round(rowsPerSecond)} rows/s`);
    }
  }
  return scores;
}

async function runOnce(contestant: Contestant, folder: string, checker: DuckDBConnection) {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const from = performance.now();
  const files = await contestant.run(folder);
  const ms = performance.now() - from;
  assertSame(contestant.name, await checksumsOfParquet(checker, files), contestant.expected);
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  return {
    rowsPerSecond: (contestant.expected.rows / ms) * 1000,
    parquetBytes: sizes.reduce((sum, size) => sum + size, 0),
  };
}

/** The product: as many tasks as writers unless said otherwise, each a chain of pages, bytes copied over as from a socket, parts hashed. */
function ours(
  pool: WriterPool,
  pages: readonly Uint8Array[],
  profile: Profile,
  expected: Checksums,
  tasks = WRITERS,
): Contestant {
  const share = Math.ceil(pages.length / tasks);
  const task = async (number: number, folder: string) => {
    const sink = await pool.open({
      table: 'Crm_Sales_Order_Lines',
      columns: orderLineColumns,
      key: [ORDER_LINES_KEY],
      profile,
      compression: 'zstd',
      partRows: 500_000,
      path: join(folder, `task-${number}`),
      metadata: { 'tablevault.table': 'Crm_Sales_Order_Lines' },
      absentIsNull: false,
      groupBytes: MOST_GROUP_BYTES,
      maxRowBytes: 64 * 1024 * 1024,
    });
    for (const page of pages.slice(number * share, (number + 1) * share)) {
      sink.begin(null);
      for (let at = 0; at < page.length; at += CHUNK_BYTES) await sink.write(page.subarray(at, at + CHUNK_BYTES));
      await sink.end();
    }
    return (await sink.finish()).map((part) => part.path);
  };
  return {
    name: `tablevault ${profile}`,
    expected,
    run: async (folder) => (await Promise.all(Array.from({ length: tasks }, (_, n) => task(n, folder)))).flat(),
  };
}

function duckdbContestant(
  onDisk: PagesOnDisk,
  profile: Profile,
  setting: DuckdbSetting,
  expected: Checksums,
): Contestant {
  return {
    name: `DuckDB ${profile}, ${describeSetting(setting)}`,
    expected,
    async run(folder) {
      const path = join(folder, 'duckdb.parquet');
      await copyByDuckdb(onDisk, orderLineColumns, profile, setting, path);
      return [path];
    },
  };
}

function plain(pages: readonly Uint8Array[], compression: string, expected: Checksums): Contestant {
  return {
    name: `plain ${compression}`,
    expected,
    async run(folder) {
      const path = join(folder, 'plain.parquet');
      await writePlain(pages, orderLineColumns, path, compression);
      return [path];
    },
  };
}

/** Size of all rows in key order in one file: how many files there are besides is a matter of the plan. */
async function bytesOfOneFile(contestant: Contestant, root: string): Promise<number> {
  const folder = join(root, 'ordered');
  await mkdir(folder, { recursive: true });
  const [file, ...more] = await contestant.run(folder);
  if (more.length > 0) throw new Error(`${contestant.name} wrote more than one file`);
  const { size } = await stat(file!);
  await rm(folder, { recursive: true });
  return size;
}

function profileResult(
  profile: Profile,
  scores: ReadonlyMap<string, Score>,
  best: Readonly<Record<DuckdbInput, DuckdbSetting>>,
  sizes: Pick<ProfileResult['size'], 'tablevaultBytes' | 'duckdbBytes'>,
): ProfileResult {
  const own = scores.get(`tablevault ${profile}`)!;
  const plainest = PLAIN_COMPRESSIONS.map((compression) => scores.get(`plain ${compression}`)!.rowsPerSecond).reduce(
    (a, b) => (spread(b).median > spread(a).median ? b : a),
  );
  const result = (score: Score) => ({ rowsPerSecond: spread(score.rowsPerSecond), parquetBytes: score.parquetBytes });
  const opponent = (input: DuckdbInput): OpponentResult => {
    const score = scores.get(`DuckDB ${input} ${profile}`)!;
    const setting = describeSetting(best[input]);
    return { ...result(score), setting, ratio: ratios(own.rowsPerSecond, score.rowsPerSecond) };
  };
  return {
    tablevault: result(own),
    duckdb: { pages: opponent('pages'), lines: opponent('lines'), text: opponent('text') },
    ratioToPlain: ratios(own.rowsPerSecond, plainest),
    size: { ...sizes, ratio: sizes.tablevaultBytes / sizes.duckdbBytes },
  };
}
