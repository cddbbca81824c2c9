/**
 * `make demo`: starts the demo instance, takes a snapshot with each kind of credential, verifies both, and asks one question in
 * SQL. It runs the very commands a person would type, and shows them. `--rows <factor>` makes the tables smaller or larger, `--vaults
 * <folder>` puts the vaults (and replaces what is) there.
 */
import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { duration } from '../core/duration.ts';
import { packageFile } from '../core/package-files.ts';
import { plural } from '../core/words.ts';
import { startDemo } from '../demo/instance.ts';
import { factor } from './options.ts';

const root = packageFile('.');
const { values: given } = parseArgs({ options: { rows: { type: 'string' }, vaults: { type: 'string' } } });
const vaults = resolve(given.vaults ?? resolve(root, 'demo-vault'));
const launcher = packageFile('bin/tablevault.cjs');

/** The demo's data holds extreme values on purpose; the question leaves them out. */
const QUESTION = `SELECT year(d.Document_Date) AS year, count(DISTINCT o.Sales_Order_Id) AS orders, count(*) AS lines, sum(l.Line_Amount) AS amount
  FROM Crm_Sales_Order_Lines l
  JOIN Crm_Sales_Orders o USING (Sales_Order_Id)
  JOIN Gen_Documents d ON d.Id = o.Document_Id
  WHERE l.Line_Amount BETWEEN 0 AND 1000000 AND year(d.Document_Date) BETWEEN 2015 AND 2026
  GROUP BY ALL ORDER BY year DESC LIMIT 5`;

type Environment = Readonly<Record<string, string | undefined>>;

/** Ends the tour with the exit code of the command that failed. */
class StepFailed extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`a step of the tour ended with exit code ${exitCode}`);
    this.exitCode = exitCode;
  }
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Runs one command line of tablevault as a person would. Interrupts reach it by the terminal; the tour waits for its end. */
function step(title: string, args: readonly string[], env: Environment = {}): Promise<void> {
  say(`\n${title}\n$ tablevault ${args.map(quoted).join(' ')}`);
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [launcher, ...args], {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, ...env },
    });
    const stop = () => child.kill('SIGTERM');
    process.once('SIGTERM', stop);
    child.once('error', failed);
    child.once('exit', (code, signal) => {
      process.off('SIGTERM', stop);
      if (code === 0) done();
      else failed(new StepFailed(code ?? (signal === null ? 1 : 130)));
    });
  });
}

function quoted(arg: string): string {
  return /^[\w./:@=-]+$/.test(arg) ? arg : `"${arg.replaceAll(/\s+/g, ' ')}"`;
}

async function tour(): Promise<void> {
  const begun = performance.now();
  await rm(vaults, { recursive: true, force: true });
  const demo = await startDemo({ rows: factor(given.rows ?? '1') });
  try {
    const { service } = demo.credentials;
    // One of its own: a token is locked while a process uses it, and another tour may run on this machine.
    const { token } = demo.issueReferenceToken({ kind: 'SAT', application: service.clientId, by: 'administrator' });
    const rows = demo.tables.reduce((sum, table) => sum + table.rows, 0);
    say(
      `A demo instance of ERP.net serves at ${demo.url}: ${plural(demo.tables.length, 'table')}, ${plural(rows, 'row')}.`,
    );
    const env: Environment = {
      TABLEVAULT_DEMO_URL: demo.url,
      TABLEVAULT_DEMO_CLIENT_ID: service.clientId,
      TABLEVAULT_DEMO_CLIENT_SECRET: service.clientSecret,
      TABLEVAULT_DEMO_TOKEN: token,
    };
    const [first, second] = ['service', 'token'].map((name) => relative(root, resolve(vaults, name))) as [
      string,
      string,
    ];
    const into = (vault: string) => (given.vaults === undefined ? [] : ['--destination', vault]);
    await step('A snapshot with a service identity:', ['snapshot', 'pipelines/demo.yaml', ...into(first)], env);
    await step(
      'Another with a reference token, and with native types:',
      ['snapshot', 'pipelines/demo-token.yaml', ...into(second)],
      env,
    );
    await step('Every file hashed, every row read back:', ['verify', first, '--level', 'rows']);
    await step('The other as well:', ['verify', second, '--level', 'rows']);
    await step('What is in the vault:', ['ls', first]);
    await step('The files of a table, for any tool that reads Parquet:', ['paths', first, 'Crm_Sales_Orders']);
    await step('A question in SQL:', ['query', first, QUESTION]);
  } finally {
    await demo.close();
  }
  say(`\nAll of this took ${duration(performance.now() - begun)}. The vaults are in ${vaults}.`);
  say('Next, your own instance: see README.md.');
}

// A terminal sends Ctrl-C to the running command too; its end ends the tour.
process.on('SIGINT', () => {});

try {
  await tour();
} catch (error) {
  say(error instanceof StepFailed ? `\nThe tour stops here: ${error.message}.` : `\nerror: ${String(error)}`);
  process.exitCode = error instanceof StepFailed ? error.exitCode : 1;
}
