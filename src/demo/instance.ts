/**
 * The embedded demo instance: a stand-in for an ERP.net instance on loopback, as strict and as awkward as the documented one.
 * It imports nothing of the product but `core/`, so that tests never confirm their own bug.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, systemClock } from '../core/clock.ts';
import { TablevaultError } from '../core/errors.ts';
import { nearestName } from '../core/near-names.ts';
import { builtInApplications, demoSecret } from './applications.ts';
import { createBlockCache } from './blocks.ts';
import { createCallers } from './callers.ts';
import type { DemoInstance, DemoTable } from './contract.ts';
import { answerControl } from './control.ts';
import { createDatabase } from './database.ts';
import { createFaults } from './faults.ts';
import { edmTypeName } from './metadata.ts';
import { DEFAULT_LIMITS, type DemoChanges, type DemoLimits, type DemoOptions } from './options.ts';
import { pageHtml } from './page.ts';
import { DEFAULT_PERSONALITY, type Personality } from './personality.ts';
import { DEFAULT_RIGHTS, type Rights } from './rights.ts';
import { createSessions } from './sessions.ts';
import { answerSite, type Site } from './site.ts';
import { createSlots } from './slots.ts';
import type { TableData } from './table.ts';
import { createTokens } from './tokens.ts';
import { createWitness } from './witness.ts';
import { createWriter } from './writer.ts';

export type { DemoInstance, DemoTable } from './contract.ts';
export type { Row } from './database.ts';
export type { Value } from './model.ts';
export type { DemoChanges, DemoOptions, Fault, FaultAction, WriteOrder } from './options.ts';
export type { Personality } from './personality.ts';
export type { Rights } from './rights.ts';
export type { Change } from './writer.ts';

const DATABASE = 'DEMO';

/** Starts the instance on 127.0.0.1. Throws CONFIG_INVALID for a table model it cannot read. */
export async function startDemo(options: DemoOptions = {}): Promise<DemoInstance> {
  const seed = options.seed ?? 1;
  checkSettings(options);
  let personality: Personality = { ...DEFAULT_PERSONALITY, ...options.personality };
  let limits: DemoLimits = { ...DEFAULT_LIMITS, ...options.limits };
  let rights: Rights = { ...DEFAULT_RIGHTS, ...options.rights };
  const base = options.clock ?? systemClock;
  let ahead = 0;
  let serial = 0;
  const clock: Clock = { now: () => base.now() + ahead, sleep: (ms, signal) => base.sleep(ms, signal) };

  const applications = new Map(
    [...builtInApplications(seed), ...(options.applications ?? [])].map((app) => [app.uri, app]),
  );
  const witness = createWitness(() => clock.now());
  const faults = createFaults(seed, options.faults ?? [], () => clock.now());
  const slots = createSlots(clock, () => limits);
  const sessions = createSessions(clock, () => limits);
  const db = createDatabase(options, {
    staleCounts: () => personality.tableInfo === 'stale',
    sessions: () => sessions.list(),
    seats: () => limits.seats,
  });
  const callers = createCallers();
  const writer = createWriter(db, clock, seed);

  const site = await listen(options.port ?? 0);
  const foreign = await listen(0);
  const control = await listen(options.controlPort ?? 0);
  const url = site.url;
  const tokens = createTokens({ clock, issuer: () => `${url}/id`, database: DATABASE, applications });
  const clientId = 'my.app/backup';
  const reference = tokens.issueReference({
    kind: 'SAT',
    application: clientId,
    by: 'administrator',
    // Another one each time: two processes must never be found to share a token because two demo instances do.
    token: `enrt_${randomBytes(24).toString('base64url')}`,
  });
  const credentials: DemoInstance['credentials'] = {
    service: { clientId, clientSecret: demoSecret(clientId, seed) },
    referenceToken: reference.token,
    applications: Object.fromEntries(
      [...applications.keys()].map((uri) => [uri, { clientId: uri, clientSecret: demoSecret(uri, seed) }]),
    ),
  };
  const tables = () => [...db.tables.values()].map((table) => describe(table, personality));

  const settings: Site = {
    api: {
      db,
      tokens,
      sessions,
      slots,
      clock,
      blocks: createBlockCache(),
      personality: () => personality,
      limits: () => limits,
      rights: () => rights,
      root: `${url}/tableapi/odata/`,
      foreignUrl: foreign.url,
      seed,
      nextSerial: () => ++serial,
      grow: (table, rows) => void writer.write({ inserts: rows, where: 'last', tables: [table] }),
      noticeCaller(tokenId, request) {
        if (callers.isShared(tokenId, request)) witness.shared();
      },
    },
    url,
    applications,
    database: DATABASE,
    faults,
    witness,
    write: (order) => void writer.write(order),
    page: () =>
      pageHtml({
        url,
        controlUrl: control.url,
        ...credentials.service,
        referenceToken: reference.token,
        tables: tables().map((table) => ({ name: table.name, rows: table.rows, columns: table.columns.length })),
      }),
  };

  const instance: DemoInstance = {
    url,
    controlUrl: control.url,
    foreignUrl: foreign.url,
    credentials,
    get tables() {
      return tables();
    },
    rows: (table) => db.rows(typeof table === 'string' ? table : table.name),
    witness: () =>
      witness.read({ ...slots.stats(), tokens: tokens.stats(), sessions: sessions.stats(), faults: faults.fired() }),
    configure(changes) {
      checkKinds(changes);
      checkSettings(changes);
      personality = { ...personality, ...changes.personality };
      limits = { ...limits, ...changes.limits };
      rights = { ...rights, ...changes.rights };
      if (changes.faults !== undefined) faults.set(changes.faults);
    },
    write: (order) => writer.write(order),
    startWriter: (order, everyMs) => writer.start(order, everyMs),
    stopWriter: () => writer.stop(),
    changes: () => writer.changes(),
    changeSchema: (change) => db.changeSchema(change),
    revokeTokens: (token) => tokens.revoke(token),
    issueReferenceToken: (order) => tokens.issueReference(order),
    rotateKeys: () => tokens.rotateKeys(),
    setApplication: (application) => {
      applications.set(application.uri, application);
    },
    advanceClock: (ms) => {
      ahead += ms;
    },
    async close() {
      writer.stop();
      slots.close();
      await Promise.all([close(site.server), close(foreign.server), close(control.server)]);
    },
  };

  site.server.on('request', (request, response) => void answerSite(settings, request, response));
  foreign.server.on('request', ((request, response) => {
    const record = witness.begin('foreign', request.method ?? 'GET', request.url ?? '/', request.headers);
    record.status = 200;
    record.ms = 0;
    record.complete = true;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end('{"value":[]}');
  }) satisfies RequestListener);
  control.server.on('request', (request, response) => void answerControl(instance, request, response));
  return instance;
}

function describe(table: TableData, personality: Personality): DemoTable {
  return {
    name: table.name,
    kind: table.model.kind,
    rows: table.count,
    key: table.keys.map((key) => table.columns[key.column]!.name),
    columns: table.columns
      .filter((column) => column.name !== '')
      .map((column) => ({
        name: column.name,
        sqlType: column.sqlType,
        type: column.type,
        edmType: edmTypeName(column, personality),
        nullable: column.nullable,
        sensitive: column.password,
      })),
  };
}

/** A switch that does not exist must not pass for one that is off. Throws USAGE. */
const CHANGES: readonly string[] = ['personality', 'limits', 'rights', 'faults'] satisfies (keyof DemoChanges)[];

function checkKinds(changes: DemoChanges): void {
  const unknown = Object.keys(changes).find((name) => !CHANGES.includes(name));
  if (unknown === undefined) return;
  throw new TablevaultError('USAGE', `the demo instance has no switches ${unknown}; it has ${CHANGES.join(', ')}`);
}

function checkSettings(changes: DemoChanges): void {
  const known = { personality: DEFAULT_PERSONALITY, limits: DEFAULT_LIMITS, rights: DEFAULT_RIGHTS };
  for (const [name, defaults] of Object.entries(known)) {
    for (const key of Object.keys(changes[name as keyof typeof known] ?? {})) {
      if (!(key in defaults))
        throw new TablevaultError(
          'USAGE',
          `the demo instance has no ${name} switch ${key}; near names: ${nearestName(key, Object.keys(defaults))}`,
        );
    }
  }
}

async function listen(port: number): Promise<{ readonly server: Server; readonly url: string }> {
  const server = createServer({ maxHeaderSize: 1024 * 1024, keepAliveTimeout: 60_000, requestTimeout: 0 });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
