/**
 * `make torture`: every figure of docs/reliability.md, bounded by `TORTURE_MINUTES` (default 30). `TORTURE_SEED` runs another night's luck;
 * a failing seed becomes a regression test. The figures are printed as a table at the end.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { createS3Store } from '../../src/storage/s3.ts';
import { s3Bucket } from '../contract/stores.ts';
import { tortureAnswers, wrappedStores } from './answers.ts';
import { tortureCanaries } from './canaries.ts';
import { tortureDamage } from './damage.ts';
import { tortureDiskFaults, torturePowerCuts } from './disk.ts';
import { tortureInterleavings } from './interleave.ts';
import { FOLDER_TARGET, tortureKills, tortureSteps } from './kills.ts';
import { type Budget, type Figures, figuresTable } from './lib/figures.ts';
import { folderStore, memoryStore, memoryTurns, s3Answers, s3KillTarget, s3Turns } from './lib/stores.ts';

const minutes = Number(process.env['TORTURE_MINUTES'] ?? 30);
const seed = Number(process.env['TORTURE_SEED'] ?? 1);
const endMs = Date.now() + minutes * 60_000;
const s3 = inject('s3');
const all: Figures[] = [];

/** A share of the time that is left when it begins, in parts of the whole. */
function budget(count: number, share: number): Budget {
  return { seed, count, untilMs: Math.min(endMs, Date.now() + share * minutes * 60_000) };
}

async function measured(figures: Promise<Figures>): Promise<void> {
  const found = await figures;
  all.push(found);
  expect(found.faults).toEqual([]);
  expect(found.done).toBeGreaterThan(0);
}

afterAll(() => {
  process.stdout.write(`\n${figuresTable(all)}`);
});

describe('secrets', () => {
  it('are in no output, file, error or stack', () =>
    measured(tortureCanaries({ seed, count: 12, untilMs: Date.now() + 180_000 })));
});

describe('a folder vault', () => {
  it('survives kill -9 before and after every step', () => measured(tortureSteps(budget(80, 0.16))));
  it('survives kill -9 at random moments', () =>
    measured(tortureKills('kill -9 at random moments', FOLDER_TARGET, budget(180, 0.26))));
  it('survives kill -9 while a table is read in key ranges', () =>
    measured(tortureKills('kill -9 with a table in key ranges', FOLDER_TARGET, budget(20, 0.07), 'ranges')));
  it('loses no acknowledged snapshot to a power cut', () => measured(torturePowerCuts(budget(20_000, 0.04))));
  it('is whole after every fault of its disk', () => measured(tortureDiskFaults(budget(1_000, 0.02))));
  it('tells what became of a commit whose answer was lost', () =>
    measured(
      tortureAnswers('commits with lost or forged answers, folder', wrappedStores(folderStore), budget(250, 0.02)),
    ));
  it('shows every damage', () =>
    measured(tortureDamage('damage to stored objects, folder', folderStore, budget(500, 0.02))));
});

describe('a vault in memory', () => {
  it('tells what became of a commit whose answer was lost', () =>
    measured(
      tortureAnswers('commits with lost or forged answers, memory', wrappedStores(memoryStore), budget(500, 0.01)),
    ));
  it('shows every damage', () =>
    measured(tortureDamage('damage to stored objects, memory', memoryStore, budget(1_000, 0.02))));
  it('keeps what lives, whatever the order', () =>
    measured(tortureInterleavings('interleavings of two runs, prunes, verify', memoryTurns, budget(600, 0.05))));
});

describe.skipIf(s3 === null)('a vault on a real S3 server', () => {
  it('survives kill -9 at random moments', async () => {
    const { env, bucket } = await s3Bucket();
    const target = await s3KillTarget(env, bucket);
    await measured(tortureKills('kill -9 at random moments, S3', target.target, budget(20, 0.07))).finally(target.end);
  });
  it('tells what became of a commit whose answer was lost', async () => {
    const { env, bucket } = await s3Bucket();
    await measured(tortureAnswers('commits with lost or forged answers, S3', s3Answers(env, bucket), budget(50, 0.09)));
  });
  it('shows every damage', async () => {
    const { env, bucket } = await s3Bucket();
    const open = async () => {
      const store = createS3Store({ env, bucket, prefix: `${randomUUID()}/` });
      return { store, end: () => store.close() };
    };
    await measured(tortureDamage('damage to stored objects, S3', open, budget(100, 0.08)));
  });
  it('keeps what lives, whatever the order', async () => {
    const { env, bucket } = await s3Bucket();
    await measured(tortureInterleavings('interleavings, S3', s3Turns(env, bucket), budget(30, 0.08)));
  });
});
