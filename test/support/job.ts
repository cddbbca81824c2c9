// biome-ignore-all lint/suspicious/noTemplateCurlyInString: pipeline files name variables like this
/** A demo instance and pipelines for it, in a folder of their own: what a test of the main job needs to run the command line. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DemoInstance, type DemoOptions, startDemo } from '../../src/demo/instance.ts';
import type { SnapshotReport } from '../../src/run/snapshot/snapshot.ts';
import type { Manifest } from '../../src/vault/chain/manifest.ts';
import { type CliOptions, type CliResult, tablevault } from './cli.ts';
import { compareWithTruth } from './truth.ts';

export interface Order {
  readonly auth?: 'service' | 'token' | 'api-key';
  readonly clientId?: string;
  /** Empty: `more` has the tables. */
  readonly include?: readonly string[];
  /** More lines of the pipeline. */
  readonly more?: string;
  /** More arguments of the command. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Destination; a fresh one by default. */
  readonly vault?: string;
  readonly onStart?: CliOptions['onStart'];
}

export interface Taken extends CliResult {
  readonly vault: string;
  readonly report: SnapshotReport;
}

export interface Job {
  readonly demo: DemoInstance;
  readonly folder: string;
  /** Writes a pipeline; its path, its vault and the environment it needs. */
  pipeline(order?: Order): Promise<{ file: string; vault: string; env: Record<string, string> }>;
  /** `tablevault snapshot --json` by a fresh pipeline. */
  snapshot(order?: Order): Promise<Taken>;
  /** Holds every row of the vault's newest snapshot against the instance's own; the number of rows. */
  compare(taken: Pick<Taken, 'vault'>): Promise<number>;
  close(): Promise<void>;
}

export async function startJob(options: DemoOptions = {}): Promise<Job> {
  const folder = await mkdtemp(join(tmpdir(), 'tablevault-job-'));
  // Each run holds a licence seat for its 20 idle minutes: there must be enough for all runs of a file.
  const demo = await startDemo({ rows: 0.02, ...options, limits: { seats: 1000, ...options.limits } });
  let pipelines = 0;

  const pipeline: Job['pipeline'] = async (order = {}) => {
    const home = join(folder, `job-${++pipelines}`);
    await mkdir(home);
    const { auth = 'service', clientId = 'my.app/backup', include = ['*'] } = order;
    const vault = order.vault ?? join(home, 'vault');
    const credential =
      auth === 'service'
        ? `{ kind: service, clientId: ${clientId}, clientSecret: "\${env:SECRET}" }`
        : `{ kind: reference-token, token: "\${env:TOKEN}"${auth === 'api-key' ? ', header: x-api-key' : ''} }`;
    const file = join(home, 'job.yaml');
    await writeFile(
      file,
      `version: 1
instance: ${demo.url}
auth: ${credential}
${include.length === 0 ? '' : `tables: { include: ${JSON.stringify(include)} }`}
destination: ${vault}
${order.more ?? ''}
`,
    );
    const { applications, referenceToken } = demo.credentials;
    const env = { SECRET: applications[clientId]!.clientSecret, TOKEN: referenceToken, ...order.env };
    return { file, vault, env };
  };

  return {
    demo,
    folder,
    pipeline,
    async snapshot(order = {}) {
      const { file, vault, env } = await pipeline(order);
      const start = order.onStart === undefined ? {} : { onStart: order.onStart };
      const run = await tablevault(['snapshot', file, '--json', ...(order.args ?? [])], { env, ...start });
      return { ...run, vault, report: JSON.parse(run.stdout) as SnapshotReport };
    },
    async compare({ vault }) {
      const manifest = await newestManifest(vault);
      let rows = 0;
      for (const { name, parts } of manifest.tables)
        rows += await compareWithTruth(
          demo,
          name,
          parts.map(({ key }) => join(vault, key)),
        );
      return rows;
    },
    async close() {
      await demo.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Names of what could be taken for a snapshot. */
export async function snapshotsIn(vault: string): Promise<readonly string[]> {
  return readdir(join(vault, 'snapshots')).catch(() => []);
}

export async function newestManifest(vault: string): Promise<Manifest> {
  const name = (await snapshotsIn(vault)).toSorted().at(-1);
  if (name === undefined) throw new Error(`no snapshot in ${vault}`);
  return JSON.parse(await readFile(join(vault, 'snapshots', name), 'utf8')) as Manifest;
}

/** The one paragraph that a failed command ends with. */
export function paragraphOf(run: CliResult): string {
  return run.stderr.split('\n').find((line) => line.startsWith('error: ')) ?? '';
}
