import { createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TablevaultError } from '../../../../src/core/errors.ts';
import { openPostgresWriter } from '../../../../src/run/restore/postgres.ts';
import { commit } from '../../../../src/run/restore/postgres-commit.ts';
import { foreignKeyName } from '../../../../src/run/restore/postgres-names.ts';
import { parseTarget } from '../../../../src/run/restore/target.ts';

/** A server that answers COMMIT as `answer` says. */
const client = (answer: () => Promise<unknown>) => ({ query: answer }) as unknown as Parameters<typeof commit>[0];
const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const committed = { command: 'COMMIT' };

function interruptAfter(ms: number): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(new TablevaultError('INTERRUPTED', 'stop')), ms);
  return controller.signal;
}

describe('the commit of a restore to PostgreSQL', () => {
  it('is done when the server says so, also when it was interrupted meanwhile', async () => {
    await commit(
      client(async () => committed),
      'db',
      undefined,
    );
    const slow = client(() => later(100).then(() => committed));
    await commit(slow, 'db', interruptAfter(10), 5_000);
  });

  it('is of unknown outcome, and says what to look at, when the answer does not come', async () => {
    const broken = Object.assign(new Error('Connection terminated unexpectedly'), {});
    const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    const shutdown = Object.assign(new Error('terminating connection'), { code: '57P01' });
    for (const error of [broken, reset, shutdown]) {
      await expect(
        commit(
          client(() => Promise.reject(error)),
          'db',
          undefined,
        ),
      ).rejects.toMatchObject({
        code: 'COMMIT_UNKNOWN',
        exitCode: 8,
        hint: expect.stringContaining('whether the tables exist'),
      });
    }
    const silent = client(() => new Promise(() => {}));
    await expect(commit(silent, 'db', interruptAfter(10), 50)).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN' });
  });

  it('failed when the server says that, or that it rolled back', async () => {
    const full = Object.assign(new Error('disk full'), { code: '53100' });
    await expect(
      commit(
        client(() => Promise.reject(full)),
        'db',
        undefined,
      ),
    ).rejects.toMatchObject({
      code: 'DESTINATION_FULL',
    });
    await expect(
      commit(
        client(async () => ({ command: 'ROLLBACK' })),
        'db',
        undefined,
      ),
    ).rejects.toMatchObject({
      code: 'DESTINATION_UNREACHABLE',
    });
  });
});

describe('a PostgreSQL that accepts and is silent', () => {
  it('does not keep a restore from being interrupted', async () => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => void sockets.add(socket));
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as { port: number };
    const target = parseTarget(`postgres://u@127.0.0.1:${port}/db`, undefined);
    if (target.kind !== 'postgres') throw new Error('not here');
    const begun = performance.now();
    const engine = { run: async () => undefined, close: () => undefined };
    const opening = openPostgresWriter(target, engine, '/nowhere', interruptAfter(100));
    await expect(opening).rejects.toMatchObject({ code: 'INTERRUPTED' });
    expect(performance.now() - begun).toBeLessThan(5_000);
    for (const socket of sockets) socket.destroy();
    server.close();
  });
});

describe('the names of references', () => {
  it('are as PostgreSQL keeps them, and no two of a table are the same', () => {
    const name = fc.string({ unit: fc.constantFrom(...'Ab_ж€😀'), minLength: 1, maxLength: 63 });
    fc.assert(
      fc.property(
        name,
        fc.uniqueArray(fc.tuple(name, name), { minLength: 2, maxLength: 20, selector: String }),
        (table, references) => {
          const taken = new Set<string>();
          for (const [column, to] of references) {
            const given = foreignKeyName({ table, column, to }, taken);
            expect(taken.has(given)).toBe(false);
            expect(Buffer.byteLength(given)).toBeLessThanOrEqual(63);
            expect(given).not.toContain('\ufffd');
            taken.add(given);
          }
        },
      ),
    );
    expect(foreignKeyName({ table: 'A', column: 'B_Id', to: 'C' }, new Set())).toBe('fk_A_B_Id');
  });
});
