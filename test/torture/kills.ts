// biome-ignore-all lint/suspicious/noTemplateCurlyInString: pipeline files name variables like this
/** (a) `kill -9` of a real `tablevault snapshot` at random moments, and before and after every step on its vault. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DuckDBInstance } from '@duckdb/node-api';
import { type DemoInstance, type DemoOptions, startDemo } from '../../src/demo/instance.ts';
import { createFolderStore } from '../../src/storage/folder.ts';
import type { Store } from '../../src/storage/store.ts';
import type { Manifest } from '../../src/vault/chain/manifest.ts';
import { readCheckpoints } from '../../src/vault/commit/checkpoints.ts';
import { listRuns, readOutcome } from '../../src/vault/commit/run.ts';
import type { Vault } from '../../src/vault/vault.ts';
import { type CliResult, tablevault } from '../support/cli.ts';
import { vaultState } from './lib/check-vault.ts';
import { type Budget, type Figures, type Tally, tally } from './lib/figures.ts';
import { random } from './lib/random.ts';

const HOOK = fileURLToPath(new URL('./lib/kill-at.cjs', import.meta.url));
const KINDS = ['unreadable snapshots', 'lost rows', 'duplicate rows', 'finished parts read again', 'run not finished'];

/** Small tables of one task each, whose answers come one after the other. */
const SMALL: DemoOptions = {
  tables: [
    'Gen_Currencies',
    'Gen_Documents',
    'Crm_Customers',
    'Gen_Document_Types',
    'Gen_Enterprise_Companies',
    'Dmv_Table_Info',
  ],
  tableRows: { Gen_Currencies: 2_000, Gen_Documents: 300, Crm_Customers: 300 },
  rows: 0.05,
  limits: { slots: 1, latencyMs: 30 },
};
/** One of them large enough for key ranges. */
const RANGES: DemoOptions = {
  ...SMALL,
  tableRows: { ...SMALL.tableRows, Gen_Currencies: 60_000 },
  template: ['Gen_Currencies'],
};

interface Scene {
  readonly demo: DemoInstance;
  readonly figures: Tally;
  readonly folder: string;
  /** Runs `snapshot`; `kill` ends it so many milliseconds after it took so many steps on the vault, the environment from within. */
  run(env?: Readonly<Record<string, string>>, kill?: { readonly steps: number; readonly ms: number }): Promise<Ran>;
  /** A new place for the vault. */
  move(): Promise<void>;
  store(): Store;
  destination(): string;
}

type Ran = CliResult & { readonly steps: number };

export interface KillTarget {
  /** Address of a new vault, and a store that reads it. */
  readonly place: (n: number, folder: string) => { readonly uri: string; readonly store: Store };
  readonly env: Readonly<Record<string, string>>;
  /** Writes to the store since it was last asked for, where they do not go to a folder. */
  readonly steps?: () => number;
}

export const FOLDER_TARGET: KillTarget = {
  place: (n, folder) => ({ uri: join(folder, `vault-${n}`), store: createFolderStore(join(folder, `vault-${n}`)) }),
  env: {},
};

async function withScene<T>(
  target: KillTarget,
  options: DemoOptions,
  figures: Tally,
  use: (scene: Scene) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'tablevault-torture-kill-'));
  const demo = await startDemo(options);
  const pipeline = join(folder, 'p.yaml');
  let n = 0;
  let place = target.place(n, folder);
  const write = () =>
    writeFile(
      pipeline,
      `version: 1
instance: ${demo.url}
auth: { kind: reference-token, token: "\${env:TOKEN}" }
tables: { include: ["*"] }
destination: ${place.uri}
parquet: { partRows: 10000 }
`,
    );
  await write();
  try {
    return await use({
      demo,
      figures,
      folder,
      store: () => place.store,
      destination: () => place.uri,
      async move() {
        await place.store.close();
        n += 1;
        place = target.place(n, folder);
        await write();
      },
      async run(env = {}, kill) {
        const count = join(folder, 'steps');
        await writeFile(count, '');
        target.steps?.();
        let remote = 0;
        const taken = () => {
          remote += target.steps?.() ?? 0;
          return remote + readFileSync(count, 'utf8').split('\n').length - 1;
        };
        const hook = { NODE_OPTIONS: `--require ${HOOK}`, TORTURE_ROOT: place.uri, TORTURE_STEPS: count };
        let timer: NodeJS.Timeout | undefined;
        const result = await tablevault(['snapshot', pipeline, '--json'], {
          env: { ...target.env, ...hook, TOKEN: demo.credentials.referenceToken, ...env },
          onStart: (child) => {
            if (kill === undefined) return;
            const look = () => {
              const far = taken() >= kill.steps;
              timer = far ? setTimeout(() => child.kill('SIGKILL'), kill.ms) : setTimeout(look, 5);
            };
            look();
          },
        });
        clearTimeout(timer);
        return { ...result, steps: taken() };
      },
    });
  } finally {
    await place.store.close();
    await demo.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Kills at random moments; a run is killed again and again until one comes through, then its rows are counted. */
export async function tortureKills(
  name: string,
  target: KillTarget,
  budget: Budget,
  options: 'small' | 'ranges' = 'small',
): Promise<Figures> {
  const figures = tally(name, KINDS, budget);
  const seen = { finished: 0, resumed: 0, tasks: 0 };
  await withScene(target, options === 'small' ? SMALL : RANGES, figures, async (scene) => {
    const rng = random(budget.seed);
    const whole = await scene.run();
    if (whole.code !== 0) figures.bad('run not finished', whole.stderr);
    // Most of a short run is its beginning, when there is nothing yet to lose: moments are spread over what it does, not over its time.
    const moment = () => ({ steps: rng.below(whole.steps + 1), ms: rng.below(rng.chance(0.2) ? 400 : 40) });
    await scene.move();
    const checked = new Set<string>();
    for (let n = 0; figures.more(); n += 1) {
      const where = `seed ${budget.seed}, kill ${n}`;
      const before = await finishedTasks(scene.store());
      const mark = scene.demo.witness().requests;
      const killed = await scene.run({}, moment());
      if (killed.code === null) figures.done();
      else if (killed.code !== 0) figures.bad('run not finished', `${where}: exit ${killed.code}: ${killed.stderr}`);
      readAgain(scene, before, mark, where);
      seen.tasks += before.length;
      if (before.length > 0) seen.resumed += 1;
      const complete = await checkVault(scene, checked, where);
      seen.finished += complete;
      if (checked.size > 12) {
        await scene.move();
        checked.clear();
      }
    }
    // The last one is left to finish.
    const before = await finishedTasks(scene.store());
    const mark = scene.demo.witness().requests;
    const last = await scene.run();
    if (last.code !== 0) figures.bad('run not finished', `seed ${budget.seed}, the last: ${last.stderr}`);
    readAgain(scene, before, mark, `seed ${budget.seed}, the last`);
    seen.finished += await checkVault(scene, checked, 'the last');
  });
  return figures.figures(
    `${seen.finished} snapshots came through; ${seen.resumed} runs were continued with ${seen.tasks} finished tasks`,
  );
}

/** Kills before and after each step of a run on a folder, then lets the next run finish. */
export async function tortureSteps(budget: Budget): Promise<Figures> {
  const figures = tally('kill -9 before and after every step on the vault', KINDS, budget);
  let steps = 0;
  await withScene(FOLDER_TARGET, SMALL, figures, async (scene) => {
    const whole = await scene.run();
    if (whole.code !== 0) figures.bad('run not finished', whole.stderr);
    steps = whole.steps;
    const moments = Array.from({ length: steps }, (_, step) => [`${step + 1}:before`, `${step + 1}:after`]).flat();
    // With less time than moments, an even choice of them.
    const every = Math.max(1, moments.length / budget.count);
    for (let at = budget.seed % every; at < moments.length && figures.more(); at += every) {
      const moment = moments[Math.floor(at)]!;
      await scene.move();
      const killed = await scene.run({ TORTURE_KILL: moment });
      const checked = new Set<string>();
      await checkVault(scene, checked, moment);
      const before = await finishedTasks(scene.store());
      const mark = scene.demo.witness().requests;
      const next = await scene.run();
      if (next.code !== 0) figures.bad('run not finished', `${moment}: ${next.stderr}`);
      readAgain(scene, before, mark, moment);
      await checkVault(scene, checked, moment);
      if (checked.size === 0) figures.bad('run not finished', `${moment}: no snapshot`);
      if (killed.code === null) figures.done();
      await rm(scene.destination(), { recursive: true, force: true });
    }
  });
  return figures.figures(`${steps} steps of a run`);
}

interface FinishedTask {
  readonly table: string;
  readonly ge: string | undefined;
  readonly le: string | undefined;
}

/** Tasks with a checkpoint in runs of which nothing was decided. */
async function finishedTasks(store: Store): Promise<readonly FinishedTask[]> {
  const tasks: FinishedTask[] = [];
  const vault: Pick<Vault, 'store'> = { store };
  for (const run of await listRuns(vault as Vault)) {
    if ((await readOutcome(vault as Vault, run)) !== undefined) continue;
    const { checkpoints } = await readCheckpoints(vault as Vault, run);
    for (const { table, range } of checkpoints) tasks.push({ table, ge: range?.ge, le: range?.le });
  }
  return tasks;
}

/** Requests since `mark` for the rows of a finished task. Probes ask for the key alone or for a few rows; every run asks for the row counts. */
function readAgain({ demo, figures }: Scene, finished: readonly FinishedTask[], mark: number, where: string): void {
  const { log, requests } = demo.witness();
  for (const { url } of log.slice(log.length - (requests - mark))) {
    const [path = '', query = ''] = url.split('?');
    const table = path.slice(path.lastIndexOf('/') + 1);
    const parameters = new URLSearchParams(query);
    if (!parameters.get('$select')?.includes(',') || parameters.has('$top') || table === 'Dmv_Table_Info') continue;
    const filter = parameters.get('$filter') ?? '';
    const ge = / ge ([0-9a-f-]{36})/.exec(filter)?.[1];
    const le = / le ([0-9a-f-]{36})/.exec(filter)?.[1];
    if (finished.some((task) => task.table === table && task.ge === ge && task.le === le))
      figures.bad('finished parts read again', `${where}: ${table} ${filter}`);
  }
}

/** The vault can be read, and every complete snapshot holds each row once. Returns how many snapshots are new. */
async function checkVault(scene: Scene, checked: Set<string>, where: string): Promise<number> {
  const { figures } = scene;
  const state = await vaultState(scene.store()).catch((error: unknown) => {
    figures.bad('unreadable snapshots', `${where}: ${String(error)}`);
    return undefined;
  });
  for (const finding of state?.findings ?? []) figures.bad('unreadable snapshots', `${where}: ${finding}`);
  const fresh = (state?.manifests ?? []).filter(({ snapshot }) => !checked.has(snapshot));
  for (const manifest of fresh) {
    checked.add(manifest.snapshot);
    await countRows(scene, manifest, where);
  }
  return fresh.length;
}

async function countRows({ demo, figures, folder, store }: Scene, manifest: Manifest, where: string): Promise<void> {
  const duck = await DuckDBInstance.create(':memory:');
  const connection = await duck.connect();
  try {
    if (manifest.tables.length !== demo.tables.length) figures.bad('lost rows', `${where}: tables are missing`);
    for (const table of demo.tables) {
      const entry = manifest.tables.find(({ name }) => name === table.name);
      const files: string[] = [];
      for (const [n, part] of (entry?.parts ?? []).entries()) {
        const local = store().localPath?.(part.key) ?? join(folder, `copy-${n}.parquet`);
        if (store().localPath === undefined) await writeFile(local, await store().get(part.key));
        files.push(`'${local}'`);
      }
      const [key = 'Table_Name'] = table.key;
      const sql = `SELECT CAST("${key}" AS VARCHAR) AS k FROM read_parquet([${files.join(', ')}])`;
      const stored = (await connection.runAndReadAll(sql)).getRows().map(([value]) => String(value));
      const distinct = new Set(stored);
      if (distinct.size !== stored.length) figures.bad('duplicate rows', `${where}: ${table.name}`);
      for (const row of demo.rows(table)) {
        if (!distinct.has(String(row[key]))) {
          figures.bad('lost rows', `${where}: ${table.name} ${String(row[key])}`);
          break;
        }
      }
      if (table.kind === 'table' && stored.length !== table.rows)
        figures.bad(
          stored.length < table.rows ? 'lost rows' : 'duplicate rows',
          `${where}: ${table.name} has ${stored.length} of ${table.rows}`,
        );
    }
  } finally {
    connection.closeSync();
    duck.closeSync();
  }
}
