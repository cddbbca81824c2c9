/** What people see: every command on terminals of 60 and of 100 columns. No line is wider, and what matters is there. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { widthOf } from '../../src/cli/text.ts';
import { type DemoInstance, startDemo } from '../../src/demo/instance.ts';
import { programInPipes, runOnTerminal } from '../support/program.ts';

const TABLES = [
  'Gen_Documents',
  'Gen_Currencies',
  'Crm_Sales_Order_Lines',
  'Gen_Work_Schedule_Working_Time',
  'Sec_Users',
];
const WIDTHS = [60, 100] as const;

let demo: DemoInstance;
let folder: string;
let file: string;
let vault: string;
let env: Record<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tv-'));
  [file, vault] = [join(folder, 'backup.yaml'), join(folder, 'vault')];
  demo = await startDemo({ rows: 0.05, seed: 60, tables: [...TABLES, 'Dmv_Table_Info'] });
  env = { TOKEN: demo.credentials.referenceToken, TABLEVAULT_PROGRESS: 'auto' };
  await writeFile(
    file,
    `version: 1
instance: ${demo.url}
auth: { kind: reference-token, token: "\${env:TOKEN}" }
tables: { include: ["*"] }
destination: ./vault
`,
  );
  await runOnTerminal(100, ['snapshot', file], { env });
});

afterAll(async () => {
  await demo.close();
  await rm(folder, { recursive: true, force: true });
});

const WIDE = 'SELECT * FROM Gen_Documents ORDER BY Document_No LIMIT 2';

/** A command, and what must be there at any width. */
const COMMANDS: readonly (readonly [what: string, args: () => readonly string[], important: readonly RegExp[]])[] = [
  ['ls', () => ['ls', vault], [/\d{8}T\d{6}Z-\w{8} {2}\d{4}-\d\d-\d\d \d\d:\d\dZ {2}complete/, /rows/]],
  [
    'show',
    () => ['show', vault],
    [/^manifest +snapshots\//m, /^sha256/m, /consistency/, /counted/, /left out: Sec_Users/],
  ],
  ['tables', () => ['tables', file], [/Gen_Work_Schedule_Working_Time/, /Crm_Sales_Order_Lines/, /key/, /6 tables at/]],
  ['tables --columns', () => ['tables', file, '--columns', 'Sec_Users'], [/Password.* not read: /m, /Edm\.Guid/]],
  ['plan', () => ['plan', file], [/as Parquet/, /time/, /\d\.\d s/, /best-effort|Dmv|seat/, /seat-minutes/]],
  ['doctor', () => ['doctor', file], [/^ok {4}table-api/m, /\$metadata/, /everything a snapshot\s+needs is there/]],
  ['verify', () => ['verify', vault, '--level', 'rows'], [/nothing\s+wrong/]],
  [
    'prune',
    () => ['prune', vault, '--keep-last', '1', '--dry-run'],
    [/keep {2}newest complete, last 1/, /1 snapshot kept/],
  ],
  ['repair', () => ['repair', vault], [/nothing is damaged/]],
  ['restore', () => ['restore', vault, '--to', join(folder, `r${Math.random()}.duckdb`)], [/every\s+file\s+verified/]],
  ['query', () => ['query', vault, 'SELECT Document_No, Void FROM Gen_Documents LIMIT 2'], [/^Document_No {2}Void$/m]],
  ['query, wide', () => ['query', vault, WIDE], [/^row 2$/m, /^Enterprise_Company_Location_Id/m]],
  ['an error', () => ['paths', vault, 'Gen_Document'], [/error:/, /Gen_Documents/, /\[TABLE_UNKNOWN, exit\s+2\]/]],
  ['a usage error', () => ['ls', vault, '--max-agee', '1h'], [/--max-age/, /\[USAGE, exit\s+2\]/]],
  ['help', () => ['help'], [/snapshot +take and commit a snapshot/]],
  [
    'help prune',
    () => ['help', 'prune'],
    [/--keep-monthly 12 (\\\n\s+)?--dry-run/, / 8 {2}outcome of the commit unknown/],
  ],
  ['help extract', () => ['help', 'extract'], [/Exit codes:/, /4 {2}instance unreachable/]],
];

describe.each(WIDTHS)('at %i columns', (width) => {
  test.each(COMMANDS)('%s fits, and says what matters', async (_what, args, important) => {
    const terminal = await runOnTerminal(width, args(), { env });
    const rows = terminal.rows();
    const text = stripVTControlCharacters(terminal.written());
    for (const pattern of important) expect(text).toMatch(pattern);
    // A word longer than the line, such as a path, stays whole for copying; the terminal breaks it.
    for (const line of text.split('\n').filter((each) => each.trim().includes(' ')))
      expect(widthOf(line), line).toBeLessThanOrEqual(width);
    expect(rows.length).toBeGreaterThan(0);
  });

  test('a snapshot shows its progress, ends without a rest of it, and sums up', async () => {
    const terminal = await runOnTerminal(width, ['snapshot', file, '--destination', join(folder, `v${width}`)], {
      env,
    });
    const rows = terminal.rows();
    expect(rows.join('\n')).not.toMatch(/[█░]|opening the instance|gone/);
    expect(rows.find((row) => row.includes('Crm_Sales_Order_Lines'))).toMatch(/\d [kM]?B$/);
    expect(rows.join(' ')).toMatch(/snapshot \S+ \(number 1\) in \S+v\d+: 6 tables, [\d,]+ rows, /);
    for (const row of rows) expect(widthOf(row)).toBeLessThanOrEqual(width);
  });

  test('a plan without measurements shows how tables are read rather than columns of question marks', async () => {
    const fresh = join(folder, 'fresh.yaml');
    await writeFile(fresh, (await readFile(file, 'utf8')).replace('./vault', './none'));
    const [titles] = (await runOnTerminal(width, ['plan', fresh], { env })).rows();
    expect(titles).toMatch(/^table +how +/);
    expect(titles).not.toContain(width === 60 ? 'as Parquet' : 'nothing');
  });

  test('colour changes nothing but colour', async () => {
    // Without what tells of a slow machine: when it is told differs from run to run.
    const quiet = { ...env, TABLEVAULT_PROGRESS: 'off' };
    for (const args of [
      ['ls', vault],
      ['plan', file],
      ['help', 'ls'],
      ['query', vault, WIDE],
      ['paths', vault, 'X'],
    ]) {
      const plain = await runOnTerminal(width, args, { env: quiet, colours: false });
      const coloured = await runOnTerminal(width, args, { env: quiet, colours: true });
      const unwanted = await runOnTerminal(width, args, { env: { ...quiet, NO_COLOR: '1' }, colours: true });
      expect(coloured.rows()).toEqual(plain.rows());
      expect(coloured.written()).not.toBe(plain.written());
      expect(unwanted.written()).toBe(plain.written());
    }
  });
});

test('extract to a terminal says what it waits for until the first row comes, and leaves nothing of that', async () => {
  demo.configure({ limits: { latencyMs: 400 } });
  try {
    const args = ['extract', file, 'Gen_Currencies', '--select', 'Currency_Id', '--limit', '2'];
    const terminal = await runOnTerminal(100, args, { env });
    expect(terminal.written()).toContain('opening the instance');
    const rows = terminal.rows();
    expect(rows[0]).toMatch(/^Currency_Id/);
    expect(rows.join('\n')).not.toContain('opening');
    expect(rows.at(-1)).toMatch(/^\d rows? of 1 column/);
  } finally {
    demo.configure({ limits: { latencyMs: 0 } });
  }
});

describe('in a pipe', () => {
  const run = async (...args: string[]) => {
    const { run: start, stdout } = programInPipes({ ...env, FORCE_COLOR: '1' });
    await start(...args);
    return stdout();
  };

  test('nothing is cut, left out or coloured, whatever FORCE_COLOR says', async () => {
    for (const args of [
      ['ls', vault],
      ['show', vault],
      ['plan', file],
      ['tables', file],
    ]) {
      const text = await run(...args);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that is the question
      expect(text).not.toMatch(/…|no room for|\u001b/);
    }
    expect(await run('ls', vault)).toMatch(/finished +state +tables +rows +size +added +took +note/);
    expect(await run('plan', file)).toMatch(/tasks +requests +rows +in database +as Parquet +time/);
  });

  test('query is a table with whole cells, and rows as blocks when asked for', async () => {
    const long = 'x'.repeat(300);
    expect(await run('query', vault, `SELECT repeat('x', 300) AS a, 1 AS b`)).toContain(`${long}  1\n`);
    expect(await run('query', vault, `SELECT repeat('x', 300) AS a, NULL AS b`, '--format', 'expanded')).toBe(
      `row 1\na  ${long}\nb  null\n\n`,
    );
  });

  test('paths takes globs, and prints the files of all tables that match', async () => {
    const files = (await run('paths', vault, 'Gen_{Documents,Currencies}')).trimEnd().split('\n');
    expect(files.length).toBeGreaterThan(1);
    for (const path of files) expect(path).toMatch(/tables\/Gen_(Documents|Currencies)\/.*\.parquet$/);
    expect(JSON.parse(await run('paths', vault, 'Gen_*,Sec_Users', '--json'))).toMatchObject({
      tables: [
        { name: 'Gen_Currencies' },
        { name: 'Gen_Documents' },
        { name: 'Gen_Work_Schedule_Working_Time' },
        { name: 'Sec_Users' },
      ],
    });
  });
});

test('query at a terminal keeps to the form that was asked for', async () => {
  const rows = (
    await runOnTerminal(60, ['query', vault, `SELECT repeat('y', 300) AS a, 7 AS n`, '--format', 'table'])
  ).rows();
  expect(rows[2]).toMatch(/^y+… {2}7$/);
  expect(widthOf(rows[2]!)).toBe(60);
  const blocks = (await runOnTerminal(100, ['query', vault, 'SELECT 7 AS n', '--format', 'expanded'])).rows();
  expect(blocks).toEqual(['row 1', 'n  7']);
});

test('init where a credential is there does not tell to write another over it', async () => {
  const dir = join(folder, 'again');
  const said = async () => (await runOnTerminal(100, ['init', dir, '--generate-secret'], { env })).rows().join(' ');
  expect(await said()).not.toContain('copy .env.example');
  const again = await said();
  expect(again).not.toContain('copy .env.example');
  expect(again).toMatch(/look whether \.env, which is there, holds the credential/);
});

test('a new shell is told of the .env that holds the variables it lacks', async () => {
  const dir = join(folder, 'new-shell');
  await runOnTerminal(100, ['init', dir, '--generate-secret'], { env });
  const { run } = programInPipes({});
  expect(await run('tables', join(dir, 'backup.yaml'))).toMatchObject({
    code: 'SECRET_MISSING',
    hint: expect.stringContaining(`set -a; . ${join(dir, '.env')}; set +a`),
  });
});

test('doctor leaves nothing behind where nothing was', async () => {
  const words = (await readFile(file, 'utf8')).replace('./vault', './not/yet/vault');
  await writeFile(join(folder, 'elsewhere.yaml'), words);
  const terminal = await runOnTerminal(100, ['doctor', join(folder, 'elsewhere.yaml')], { env });
  expect(terminal.rows().join('\n')).toMatch(/a probe object was created and removed[\s\S]*no vault yet/);
  expect(await readdir(folder)).not.toContain('not');
});

test('prune takes a grace of none, in any unit, and says what a time is', async () => {
  for (const grace of ['0', '0s', '0h']) {
    const { run, stdout } = programInPipes(env);
    expect(await run('prune', vault, '--keep-last', '1', '--dry-run', '--grace', grace)).not.toBeInstanceOf(Error);
    expect(stdout()).toContain('newest complete');
  }
  const { run } = programInPipes(env);
  expect(await run('prune', vault, '--keep-last', '1', '--grace', 'x')).toMatchObject({
    message: expect.stringContaining('Give 0, or a number with a unit'),
  });
  expect(await run('ls', vault, '--max-age', '0s')).toMatchObject({ message: expect.stringContaining('above 0') });
});

const SAYS_WHAT = /[a-z$][^\n]*, [2-9]\.\d s gone\n/;

test.each([
  ['tables', 900],
  ['plan', 300],
  ['doctor', 300],
])('%s of an instance that takes %i ms an answer says within seconds what it waits for', async (command, latencyMs) => {
  demo.configure({ limits: { latencyMs } });
  try {
    const terminal = await runOnTerminal(100, [command, file], { env });
    expect(terminal.written()).toMatch(SAYS_WHAT);
    expect(terminal.rows().join('\n')).not.toMatch(/ gone$/m);
    const { run, stdout, stderr } = programInPipes(env);
    await run(command, file, '--json');
    expect(stderr()).toMatch(SAYS_WHAT);
    expect(JSON.parse(stdout())).toBeTypeOf('object');
  } finally {
    demo.configure({ limits: { latencyMs: 0 } });
  }
});

test('a damaged file is told by repair, and after it by ls, until a snapshot reads its table again', async () => {
  const damaged = join(folder, 'damaged');
  await runOnTerminal(100, ['snapshot', file, '--destination', damaged], { env });
  const path = (await runOnTerminal(400, ['paths', damaged, 'Gen_Currencies'], { env })).rows().join('');
  await writeFile(path, 'no Parquet');
  const screen = async (...args: string[]) => (await runOnTerminal(400, args, { env })).rows().join('\n');
  expect(await screen('repair', damaged)).toMatch(/needed by snapshot 1; would be put into quarantine/);
  await screen('repair', damaged, '--apply');
  expect(await screen('ls', damaged, '--max-age', '1h')).toMatch(/damaged \(lacks 1 file\)[\s\S]*VAULT_STALE/);
  await screen('snapshot', file, '--destination', damaged);
  expect(await screen('ls', damaged, '--max-age', '1h')).not.toContain('VAULT_STALE');
});
