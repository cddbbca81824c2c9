/**
 * `make soak`: twelve minutes at most. `SOAK_SEED`, `SOAK_SECONDS`, `SOAK_PAIRS`, `SOAK_EVIDENCE_PAIRS`, `SOAK_EVERY_FAULT`, `SOAK_ONLY` (a
 * regular expression) and `SOAK_PARALLEL` steer it; docs/reliability.md says how.
 */
import { writeSync } from 'node:fs';
import { expect, test } from 'vitest';
import { reportOf } from './report.ts';
import { label, soak } from './soak.ts';

const env = (name: string, fallback: number) => Number(process.env[name] ?? fallback);

test('no personality, right, fault or limit makes the extractor publish what is not true', async () => {
  const only = process.env['SOAK_ONLY'];
  const say = (text: string) => void writeSync(2, `${text}\n`);
  const { results, skipped } = await soak({
    seed: env('SOAK_SEED', 1),
    budgetMs: env('SOAK_SECONDS', 660) * 1000,
    parallel: env('SOAK_PARALLEL', 2),
    pairs: env('SOAK_PAIRS', 200),
    evidencePairs: env('SOAK_EVIDENCE_PAIRS', 80),
    every: 1,
    everyFault: env('SOAK_EVERY_FAULT', 3),
    only: only === undefined ? undefined : new RegExp(only),
    onBegin: (one) => {
      if (process.env['SOAK_VERBOSE'] === '2') say(`begin ${label(one)}`);
    },
    onResult: (result) => {
      if (result.verdict !== 'exact' || process.env['SOAK_VERBOSE'] !== undefined)
        say(`${result.verdict} ${result.seconds.toFixed(1)} s ${label(result.case)} — ${result.detail.slice(0, 500)}`);
    },
  });
  say(`\n${reportOf(results, skipped)}`);
  const bad = results.filter(({ verdict }) => verdict === 'WRONG' || verdict === 'FAILED NEEDLESSLY');
  expect(bad.map((result) => `${label(result.case)}: ${result.detail}`)).toEqual([]);
  expect(results.length).toBeGreaterThan(0);
}, 900_000);
