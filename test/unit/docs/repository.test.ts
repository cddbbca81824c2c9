/** Point 1, the repository, and what README and docs say of it: facts that can be read off the files. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../../../src/cli/program.ts';
import { EXIT } from '../../../src/core/errors.ts';

const read = (path: string) => readFileSync(path, 'utf8');
const json = (path: string) => JSON.parse(read(path)) as Record<string, unknown>;

interface Locked {
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly version?: string;
}

const lock = json('package-lock.json') as { readonly packages: Readonly<Record<string, Locked>> };
const manifest = json('package.json') as {
  readonly version: string;
  readonly type: string;
  readonly license: string;
  readonly engines: { readonly node: string };
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
};

describe('the repository', () => {
  it('is strict TypeScript, ESM, for Node 20.19 and later', () => {
    expect(manifest).toMatchObject({ type: 'module', engines: { node: '>=20.19' } });
    expect(json('tsconfig.json')).toMatchObject({ compilerOptions: { strict: true, noUncheckedIndexedAccess: true } });
  });

  it('has the top level of the design', () => {
    const files = [
      'Makefile',
      'package.json',
      'tsconfig.json',
      'LICENSE',
      'CHANGELOG.md',
      'CONTRIBUTING.md',
      'SECURITY.md',
    ];
    const folders = ['src', 'examples', 'pipelines', 'schemas', 'test', 'bench', 'docs', 'docs/decisions', '.ci/run'];
    for (const path of [...files, ...folders, 'docs/architecture.md', 'docs/errors.md', 'README.md'])
      expect(existsSync(path), path).toBe(true);
  });

  it('is under Apache-2.0, in words and by name', () => {
    expect(manifest.license).toBe('Apache-2.0');
    expect(read('LICENSE')).toMatch(/Apache License\s+Version 2\.0, January 2004[\s\S]+END OF TERMS AND CONDITIONS/);
  });

  it('has a lock file that names no registry address', () => {
    for (const [path, { resolved }] of Object.entries(lock.packages)) expect(resolved, path).toBeUndefined();
    expect(read('.npmrc')).toContain('omit-lockfile-registry-resolved=true');
  });

  it('has a lock file with the native packages of every platform', () => {
    const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) =>
          lock.packages[`${path === '' ? '' : `${path}/`}node_modules/${name}`] === undefined &&
          lock.packages[`node_modules/${name}`] === undefined,
      ),
    );
    expect(missing).toEqual([]);
    for (const platform of ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64', 'win32-x64'])
      expect(Object.keys(lock.packages)).toContain(`node_modules/@duckdb/node-bindings-${platform}`);
  });
});

describe('the documents', () => {
  it('architecture.md has a line for every layer, and the layer rule for every folder of src', () => {
    const rules = createRequire(import.meta.url)('../../../.dependency-cruiser.cjs') as {
      readonly forbidden: readonly { readonly name: string }[];
    };
    const ruled = rules.forbidden.flatMap(({ name }) =>
      name.startsWith('layer-') ? [name.slice('layer-'.length)] : [],
    );
    const folders = readdirSync('src', { withFileTypes: true }).flatMap((each) =>
      each.isDirectory() ? [each.name] : [],
    );
    const described = [...read('docs/architecture.md').matchAll(/^\| `src\/(\w+)\/` \|/gm)].map(([, name]) => name);
    expect(ruled.toSorted()).toEqual(folders.toSorted());
    expect(described.toSorted()).toEqual(folders.toSorted());
  });

  it('README shows make demo and make test first', () => {
    const blocks = [...read('README.md').matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block!.trim());
    expect(blocks.slice(0, 2)).toEqual(['make demo', 'make test']);
  });

  it('README lists every exit code once, with the words of the help', () => {
    const rows = [...read('README.md').matchAll(/^\| (\d+) +\| (.+?) +\|$/gm)].map(([, code]) => Number(code));
    expect(rows).toEqual(Object.values(EXIT));
  });

  it('README lists the commands there are, and every command line in it is one', async () => {
    const readme = read('README.md');
    const program = createProgram({} as Parameters<typeof createProgram>[0], { version: '0', help: () => undefined });
    const commands = program.commands.map((command) => command.name());
    const [, listed = ''] = /## Commands\n\n([^\n]*?)\. Each has/.exec(readme) ?? [];
    expect([...listed.matchAll(/`(\w+)`/g)].map(([, name]) => name).toSorted()).toEqual(commands.toSorted());
    for (const [line, name, rest = ''] of readme.matchAll(/^tablevault (\w+)(.*)$/gm)) {
      const command = program.commands.find((each) => each.name() === name);
      expect(command, line).toBeDefined();
      for (const [option] of rest.matchAll(/--[\w-]+/g))
        expect(
          command!.options.map(({ long }) => long),
          line,
        ).toContain(option);
    }
  });

  it('links between documents lead somewhere', () => {
    const pages = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'];
    const docs = readdirSync('docs', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md'));
    for (const page of [...pages, ...docs.map((name) => `docs/${name}`)]) {
      for (const [, target] of read(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g))
        expect(existsSync(new URL(target!, `file://${process.cwd()}/${page}`)), `${page}: ${target}`).toBe(true);
    }
  });

  it('CHANGELOG.md has a part for what is not released yet, and below it the release of package.json with its date', () => {
    const parts = [...read('CHANGELOG.md').matchAll(/^## (.+)$/gm)].map(([, title]) => title);
    expect(parts.slice(0, 2)).toEqual(['[Unreleased]', expect.stringMatching(/^\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d$/)]);
    expect(parts[1]).toContain(`[${manifest.version}]`);
  });

  it('every dependency has a decision record that names it', () => {
    const records = readdirSync('docs/decisions')
      .filter((name) => /^\d{4}-/.test(name))
      .map((name) => read(`docs/decisions/${name}`))
      .join('\n');
    const named = (name: string) => records.includes(`\`${name}\``);
    const all = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(all.filter((name) => !name.startsWith('@types/') && !named(name))).toEqual([]);
  });

  it('every dependency of the product is used by it', () => {
    const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
    const source = files.map((name) => read(`src/${name}`)).join('\n');
    const used = (name: string) => source.includes(`'${name}'`) || source.includes(`'${name}/`);
    expect(Object.keys(manifest.dependencies).filter((name) => !used(name))).toEqual([]);
  });

  it('decision records have numbers of their own', () => {
    const numbers = readdirSync('docs/decisions').flatMap((name) => /^\d{4}/.exec(name) ?? []);
    expect(new Set(numbers).size).toBe(numbers.length);
  });
});
