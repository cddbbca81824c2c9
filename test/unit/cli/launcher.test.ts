/** The first statement of bin/tablevault.cjs. Needs `dist/`. */
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

/** UV_THREADPOOL_SIZE as the command line sees it on a platform. */
function poolSizeOn(platform: string, given?: string): string {
  const preload = `Object.defineProperty(process, 'platform', { value: '${platform}' });
    process.on('exit', () => console.error('size=' + process.env.UV_THREADPOOL_SIZE));`;
  const { UV_THREADPOOL_SIZE: _, ...env } = process.env;
  const args = ['--import', `data:text/javascript,${encodeURIComponent(preload)}`, 'bin/tablevault.cjs', '--version'];
  const own = given === undefined ? env : { ...env, UV_THREADPOOL_SIZE: given };
  const { stderr } = spawnSync(process.execPath, args, { env: own, encoding: 'utf8' });
  return /size=(\w+)/.exec(stderr)?.[1] ?? stderr;
}

it('makes the pool of threads large enough for all writers, unless the environment says how large it is', () => {
  expect(poolSizeOn('linux')).toBe('16');
  expect(poolSizeOn('linux', '8')).toBe('8');
  for (const useless of ['1', '0', 'abc', '']) expect(poolSizeOn('linux', useless)).toBe('16');
});

it('does not claim a size on Windows, where it could not set one: more writers than threads would wait for ever', () => {
  expect(poolSizeOn('win32')).toBe('undefined');
  expect(poolSizeOn('win32', '12')).toBe('12');
});
