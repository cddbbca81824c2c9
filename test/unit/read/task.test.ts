import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { TablevaultError } from '../../../src/core/errors.ts';
import type { RunEvent } from '../../../src/core/events.ts';
import { type ReadContext, type ReadTask, readTask } from '../../../src/read/task.ts';
import type { KeyRange } from '../../../src/scan/ranges.ts';
import { createEagerClock } from '../instance/support/fake-clock.ts';

const tempDir = await mkdtemp(join(tmpdir(), 'tablevault-task-'));
afterAll(() => rm(tempDir, { recursive: true, force: true }));

/** What is told of a task whose answer breaks off each time. */
async function toldOf(ranges: readonly KeyRange[], range: KeyRange): Promise<readonly string[]> {
  const told: string[] = [];
  const context = {
    pool: {
      open: () => Promise.reject(new TablevaultError('BODY_TRUNCATED', 'the answer broke off', { retryable: true })),
    },
    emit: (event: RunEvent) => void (event.type === 'warning' && told.push(event.message)),
    clock: createEagerClock(),
    signal: new AbortController().signal,
    parquet: {},
    capabilities: {},
    tempDir,
  } as unknown as ReadContext;
  const plan = { table: { name: 'T', key: ['Id'] }, columns: [], ranges };
  await readTask({ plan, range, id: '0-T', fingerprint: 'f' } as unknown as ReadTask, context).catch(() => undefined);
  return told;
}

it('a task that is read again says which part of its table it reads, where there are several', async () => {
  const [whole, low, high]: readonly KeyRange[] = [
    { ge: null, le: null },
    { ge: null, le: '5' },
    { ge: '5', le: null },
  ] as const;
  expect((await toldOf([whole!], whole!))[0]).toBe('the answer broke off; reading it again (2 of 4)');
  expect((await toldOf([low!, high!], high!))[0]).toBe('the answer broke off; reading part 2 of 2 again (2 of 4)');
});
