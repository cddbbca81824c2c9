/** What the host of the repository is told: the workflow runs what there is, and the forms ask for what helps. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, string>>;
}

interface Job {
  readonly steps: readonly Step[];
  readonly strategy: { readonly matrix: { readonly os?: readonly string[]; readonly node?: readonly string[] } };
  readonly 'timeout-minutes': number;
}

const read = (path: string) => readFileSync(path, 'utf8');
const workflow = parse(read('.github/workflows/ci.yml')) as {
  readonly permissions: unknown;
  readonly concurrency: unknown;
  readonly jobs: Readonly<Record<'check' | 'test', Job>>;
};
const { check, test } = workflow.jobs;
const manifest = JSON.parse(read('package.json')) as {
  readonly engines: { readonly node: string };
  readonly scripts: Readonly<Record<string, string>>;
  readonly repository: { readonly url: string };
  readonly bugs: { readonly url: string };
  readonly homepage: string;
};
const commandsOf = ({ steps }: Job) => steps.flatMap(({ run }) => (run === undefined ? [] : [run]));

describe('the workflow', () => {
  it('runs npm scripts and make targets that exist', () => {
    const targets = [...read('Makefile').matchAll(/^([a-z-]+):/gm)].map(([, name]) => name);
    const lines = Object.values(workflow.jobs).flatMap(commandsOf).join('\n');
    const scripts = [...lines.matchAll(/\bnpm (?:run (?:--silent )?([\w:-]+)|(test)\b)/g)].map(([, a, b]) => a ?? b);
    expect(scripts.filter((name) => manifest.scripts[name!] === undefined)).toEqual([]);
    expect(scripts).toEqual(expect.arrayContaining(['lint', 'typecheck', 'layers', 'build', 'test:unit', 'test']));
    const made = [...lines.matchAll(/\bmake ([\w-]+)/g)].map(([, name]) => name);
    expect(made.filter((name) => !targets.includes(name))).toEqual([]);
  });

  it('begins with the oldest Node that package.json promises, and goes on to later majors', () => {
    const [, oldest = ''] = /^>=(\d+\.\d+)$/.exec(manifest.engines.node) ?? [];
    const versions = check.steps.flatMap((step) => step.with?.['node-version'] ?? []);
    expect(versions).toEqual([oldest]);
    expect(test.strategy.matrix.node).toEqual(['20', '22', '24']);
    expect(test.strategy.matrix.node?.[0]).toBe(oldest.split('.')[0]);
  });

  it('checks on every platform without make', () => {
    expect(check.strategy.matrix.os).toEqual(['ubuntu-latest', 'macos-latest', 'windows-latest']);
    expect(commandsOf(check).filter((command) => !command.startsWith('npm '))).toEqual([]);
  });

  it('may only read, ends by itself, gives way to a newer run, and uses no actions but the official ones', () => {
    expect(workflow.permissions).toEqual({ contents: 'read' });
    expect(workflow.concurrency).toMatchObject({ 'cancel-in-progress': true });
    for (const job of Object.values(workflow.jobs)) expect(job['timeout-minutes']).toBeLessThanOrEqual(60);
    const used = Object.values(workflow.jobs).flatMap(({ steps }) => steps.flatMap(({ uses }) => uses ?? []));
    expect(used.filter((action) => !/^actions\/[a-z-]+@v\d+$/.test(action))).toEqual([]);
  });
});

describe('package.json', () => {
  it('sets no variable of the environment in a script, which only POSIX shells can', () => {
    const posix = Object.entries(manifest.scripts).filter(([, line]) => /(^|&& )\w+=|['$`]/.test(line));
    expect(posix).toEqual([]);
  });

  it('names one repository, for sources, issues and home page', () => {
    const [, address] = /^git\+(https:\/\/.+)\.git$/.exec(manifest.repository.url) ?? [];
    expect(manifest).toMatchObject({ bugs: { url: `${address}/issues` }, homepage: `${address}#readme` });
    const forms = readdirSync('.github/ISSUE_TEMPLATE').map((name) => read(`.github/ISSUE_TEMPLATE/${name}`));
    const links = forms.flatMap((form) => form.match(/https:\/\/github\.com\/[^\s)]+/g) ?? []);
    expect(links.length).toBeGreaterThan(0);
    for (const link of links) {
      expect(link).toContain(`${address}/blob/main/`);
      expect(existsSync(link.slice(`${address}/blob/main/`.length)), link).toBe(true);
    }
  });
});

interface Form {
  readonly name: string;
  readonly description: string;
  readonly body: readonly { readonly id?: string; readonly attributes: { readonly label?: string; value?: string } }[];
}

describe('the issue forms', () => {
  const form = (name: string) => parse(read(`.github/ISSUE_TEMPLATE/${name}.yml`)) as Form;

  it.each(['bug', 'feature'])('%s is a form with a name, a description and questions of their own', (name) => {
    const { name: title, description, body } = form(name);
    expect(title.length * description.length).toBeGreaterThan(0);
    const ids = body.flatMap(({ id }) => id ?? []);
    expect(ids.length).toBeGreaterThan(2);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('bug asks for version, exit code and what doctor says, and warns of secrets', () => {
    const text = JSON.stringify(form('bug').body);
    for (const wanted of [
      'doctor backup.yaml --json',
      'tablevault --version',
      'Exit code',
      'Leave secrets and data out',
    ])
      expect(text).toContain(wanted);
  });

  it('security reports go to SECURITY.md, not into an issue', () => {
    const config = parse(read('.github/ISSUE_TEMPLATE/config.yml')) as { contact_links: readonly { url: string }[] };
    expect(config.contact_links.map(({ url }) => url)).toEqual([expect.stringMatching(/\/SECURITY\.md$/)]);
  });
});
