import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockToken } from '../../../src/instance/token-lock.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tablevault-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const fingerprint = 'ab'.repeat(32);
const path = () => join(folder, `tablevault-token-${fingerprint.slice(0, 32)}.lock`);
const lock = () => lockToken({ fingerprint, now: 0, folder });
const holder = (pid: number, started: string | null = null) =>
  writeFileSync(path(), JSON.stringify({ pid, started, since: '2026-11-01T02:00:00Z' }));

describe('the lock of a reference token', () => {
  it('names the living process that holds it', () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    try {
      holder(child.pid ?? 0);
      expect(lock).toThrow(
        expect.objectContaining({
          code: 'LOCKED',
          exitCode: 9,
          message: expect.stringContaining(`process ${child.pid}`),
        }),
      );
    } finally {
      child.kill();
    }
  });

  it('is taken over from a dead process', () => {
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    holder(pid);
    lock().release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it.runIf(process.platform === 'linux')(
    'is taken over when another process has got the number of the dead one',
    () => {
      const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
      try {
        holder(child.pid ?? 0, '1');
        lock().release();
      } finally {
        child.kill();
      }
    },
  );

  it('is taken over from an earlier process with our own number', () => {
    holder(process.pid);
    lock().release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('serves one process as often as it likes, until the last release', () => {
    const [a, b] = [lock(), lock()];
    a.release();
    a.release();
    expect(readdirSync(folder)).toHaveLength(1);
    b.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is not taken over from a file that says nothing', () => {
    writeFileSync(path(), 'garbage');
    expect(lock).toThrow(expect.objectContaining({ code: 'LOCKED', hint: expect.stringContaining('remove the file') }));
  });
});
