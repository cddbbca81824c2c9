/** A minute of the soak (`make soak` is the whole of it): every thirteenth of its cases, others each day, and some pairs. */
import { expect, test } from 'vitest';
import { reportOf } from '../soak/report.ts';
import { label, soak } from '../soak/soak.ts';

// One case at a time: each has writers that hold threads of libuv's pool, of which a test process has four.
const A_DAY_MS = 86_400_000;

test('whatever the instance does, a snapshot is exact or not published', async () => {
  const seed = Math.floor(Date.now() / A_DAY_MS);
  const { results } = await soak({
    seed,
    budgetMs: 50_000,
    parallel: 1,
    pairs: 6,
    every: 13,
    evidencePairs: null,
    only: undefined,
  });
  const bad = results.filter(({ verdict }) => verdict === 'WRONG' || verdict === 'FAILED NEEDLESSLY');
  expect(
    bad.map((result) => `${label(result.case)}: ${result.detail}`),
    reportOf(results, 0),
  ).toEqual([]);
  expect(results.filter(({ verdict }) => verdict === 'exact').length).toBeGreaterThan(3);
}, 170_000);
