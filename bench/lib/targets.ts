/** The figures that are to be reached, and whether they are. */
import type { Results, StartResult } from './results.ts';

export interface Target {
  readonly figure: string;
  readonly unit: '×' | '%' | 'MB' | 'ms' | '';
  readonly better: 'more' | 'less';
  readonly least: number;
  readonly aim: number;
  readonly got: number;
}

export type Verdict = 'aim reached' | 'reached' | 'missed';

const MB = 2 ** 20;

/** Where there are several figures for a target (two profiles, several paces), the worst one counts. */
export function targetsOf({ decode, parquet, instanceBound, growth, start }: Results): readonly Target[] {
  const { portable, native } = parquet.profiles;
  const least = (...values: number[]) => Math.min(...values);
  const most = (...values: number[]) => Math.max(...values);
  const atLeast = { better: 'more' } as const;
  const atMost = { better: 'less' } as const;
  const fivePeak = growth.sizes.at(-1)?.peakRssBytes ?? Number.NaN;
  return [
    {
      figure: 'decode / `JSON.parse`, same bytes',
      ...atLeast,
      unit: '×',
      least: 1.5,
      aim: 2.5,
      got: decode.ratio.median,
    },
    {
      figure: 'bytes to Parquet zstd, 2 cores / DuckDB `read_json` on the same pages, best setting',
      ...atLeast,
      unit: '×',
      least: 1.5,
      aim: 2.5,
      got: least(portable.duckdb.pages.ratio.median, native.duckdb.pages.ratio.median),
    },
    {
      figure: 'the same / plain pipeline with parquetjs-lite',
      ...atLeast,
      unit: '×',
      least: 25,
      aim: 40,
      got: least(portable.ratioToPlain.median, native.ratioToPlain.median),
    },
    {
      figure: 'Parquet size / DuckDB zstd of the same rows in key order, same types',
      ...atMost,
      unit: '×',
      least: 1.15,
      aim: 1,
      got: most(portable.size.ratio, native.size.ratio),
    },
    {
      figure: 'slots busy when the instance is the limit',
      ...atLeast,
      unit: '%',
      least: 95,
      aim: 98,
      got: least(instanceBound.first.busyShare, instanceBound.next.busyShare) * 100,
    },
    {
      figure: '429 answers / requests, other clients hold slots and queue half of the time',
      ...atMost,
      unit: '%',
      least: 2,
      aim: 0.5,
      got: most(...instanceBound.refusals.map(({ share }) => share * 100)),
    },
    {
      figure: 'peak resident memory, 5 million rows',
      ...atMost,
      unit: 'MB',
      least: 512,
      aim: 300,
      got: fivePeak / MB,
    },
    {
      figure: 'peak resident memory, one response of 2 GB',
      ...atMost,
      unit: 'MB',
      least: 512,
      aim: 300,
      got: growth.singleResponse.peakRssBytes / MB,
    },
    {
      figure: 'time per row without start-up, 5 million / 0.5 million rows',
      ...atMost,
      unit: '×',
      least: 1.1,
      aim: 1,
      got: growth.ratio,
    },
    ...(start === undefined ? [] : startTargets(start)),
  ];
}

function startTargets({ help, firstRequest }: StartResult): readonly Target[] {
  const atMost = { better: 'less', unit: 'ms' } as const;
  return [
    { figure: '`tablevault --help`, whole process', ...atMost, least: 300, aim: 200, got: help.median },
    {
      figure: 'first request of `snapshot`, from its start',
      ...atMost,
      least: 350,
      aim: 250,
      got: firstRequest.median,
    },
  ];
}

export function verdictOf({ better, least, aim, got }: Target): Verdict {
  const reaches = (bound: number) => (better === 'more' ? got >= bound : got <= bound);
  return reaches(aim) ? 'aim reached' : reaches(least) ? 'reached' : 'missed';
}

/** What cannot be right at any size; a smoke run fails by it. Loose, since small runs on busy machines tell little. */
export function nonsenseIn({ decode, parquet, instanceBound, growth, http, start }: Results): readonly string[] {
  const { portable, native } = parquet.profiles;
  const checks: readonly (readonly [boolean, string])[] = [
    [decode.ratio.max > 1, 'the decoder was slower than JSON.parse in every round'],
    [portable.ratioToPlain.max > 1 && native.ratioToPlain.max > 1, 'slower than the plain pipeline in every round'],
    [portable.size.ratio < 2 && native.size.ratio < 2, 'files twice as large as those of DuckDB'],
    [start === undefined || start.help.min > start.node.min / 2, 'a start that is faster than Node alone'],
    [http.profiles.portable.rowsPerSecond.median > 0, 'no rows over HTTP'],
    [
      instanceBound.first.busyShare > 0.2 && instanceBound.first.busyShare < 1.01,
      'slots busy 20 % or less, or over 100 %',
    ],
    [instanceBound.refusals.every(({ share }) => share < 0.5), 'every second request was refused'],
    [growth.sizes.every(({ peakRssBytes }) => peakRssBytes > 2 ** 25), 'less memory than Node itself takes'],
    [growth.sizes.every(({ peakRssBytes }) => peakRssBytes < 2 ** 30), 'more than 1 GB of memory'],
  ];
  return checks.filter(([good]) => !good).map(([, what]) => what);
}
