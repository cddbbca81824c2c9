/** What a command may load before it does anything: the structure behind the times that `make bench` measures. */
import { build, type Metafile } from 'esbuild';
import { beforeAll, describe, expect, it } from 'vitest';

let outputs: Metafile['outputs'];

beforeAll(async () => {
  const { metafile } = await build({
    entryPoints: {
      main: 'src/cli/main.ts',
      snapshot: 'src/run/snapshot/snapshot.ts',
      verify: 'src/run/vault/verify.ts',
      library: 'src/index.ts',
    },
    outdir: 'start-test',
    bundle: true,
    splitting: true,
    write: false,
    metafile: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
  });
  outputs = metafile.outputs;
});

/** Packages that a module brings as soon as it is loaded, by itself or through others. */
function loadedWith(entry: string): readonly string[] {
  const packages = new Set<string>();
  const seen = new Set<string>();
  const visit = (path: string) => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const { path: target, kind, external } of outputs[path]?.imports ?? []) {
      if (kind !== 'import-statement') continue;
      if (external !== true) visit(target);
      else if (!target.startsWith('node:')) packages.add(target);
    }
  };
  visit(`start-test/${entry}.js`);
  return [...packages].sort();
}

const HEAVY = /^(@duckdb|@aws-sdk|apache-arrow|pg$|pg-copy-streams)/;

describe('what is loaded at the start', () => {
  it('the command line loads neither the instance nor the vault nor the log before a command asks for them', () => {
    expect(loadedWith('main')).not.toEqual([]);
    expect(
      loadedWith('main').filter((name) => HEAVY.test(name) || /^(undici|zod|yaml|pino|openid-client)/.test(name)),
    ).toEqual([]);
  });

  it.each(['snapshot', 'verify', 'library'])(
    '%s loads DuckDB, Arrow, AWS and PostgreSQL only when it comes to use them',
    (entry) => {
      expect(loadedWith(entry)).toContain('zod');
      expect(loadedWith(entry).filter((name) => HEAVY.test(name))).toEqual([]);
    },
  );
});
