/** From settings to an instance that can be read: discovery, identity, `$metadata`. */
import { createHash } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { type Closers, createClosers } from '../core/closers.ts';
import { hasCode, TablevaultError } from '../core/errors.ts';
import type { Emit } from '../core/events.ts';
import type { Auth, Pipeline } from '../core/pipeline.ts';
import { type RetryPolicy, withRetries } from '../core/retry.ts';
import { type Model, parseMetadata } from '../odata/metadata.ts';
import { crossCheck, parseServiceDocument } from '../odata/service.ts';
import { type Credential, createReferenceCredential, createServiceCredential, fingerprint } from './credential.ts';
import { type ChosenEndpoints, chooseEndpoints, type Discovery, discover, readVersion } from './discovery.ts';
import { createDispatcher } from './dispatcher.ts';
import { refuseGlobalIdentity, usableUrl } from './origins.ts';
import { lockToken } from './token-lock.ts';
import { createTransport, type Transport } from './transport.ts';
import { TRANSPORT_DEFAULTS, type TransportDeps, type TransportTuning } from './transport-options.ts';
import { userAgent } from './user-agent.ts';

export type InstanceSettings = Pick<Pipeline, 'instance' | 'auth' | 'endpoints' | 'limits'>;

export interface InstanceDeps {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** 0 to 1; default Math.random. */
  readonly random?: (() => number) | undefined;
  readonly tuning?: Partial<TransportTuning> | undefined;
  /** Folder of the locks of reference tokens; default the system's folder for temporary files. */
  readonly lockFolder?: string | undefined;
}

export interface Instance {
  /** As configured. */
  readonly url: string;
  /** OData root, ends in `/odata/`. */
  readonly tableApi: string;
  readonly version: string | null;
  readonly discovery: Discovery & ChosenEndpoints;
  readonly model: Model;
  /** Of the bytes of `$metadata`, hexadecimal. */
  readonly metadataSha256: string;
  readonly transport: Transport;
  readonly identity: { readonly kind: Auth['kind']; readonly describe: () => string };
  /** Reads `$metadata` again. */
  reloadModel(): Promise<{ readonly model: Model; readonly sha256: string }>;
  close(): Promise<void>;
}

/** Of a `$metadata` that breaks off, or is no XML. */
const METADATA_RETRIES: RetryPolicy = { attempts: 4, firstPauseMs: 1_000, lastPauseMs: 10_000 };
const TOKEN_TIMEOUT_MS = 30_000;
const TOKEN_TRIES = 5;
/** Faults of discovery are retried for this long: whoever starts a run waits for it. */
const DISCOVERY_BUDGET_MS = 30_000;

/**
 * Opens the instance. Nothing secret leaves before every address has been judged.
 *
 * @throws CONFIG_INVALID, AUTH_*, FOREIGN_ORIGIN, AMBIGUOUS_ENDPOINT, INSTANCE_*, LOCKED: each says what to change
 */
export async function openInstance(settings: InstanceSettings, deps: InstanceDeps): Promise<Instance> {
  const { instance, auth, endpoints } = settings;
  const url = usableUrl(instance, 'instance');
  refuseGlobalIdentity(url, 'instance');
  if (endpoints.identity !== undefined)
    refuseGlobalIdentity(usableUrl(endpoints.identity, 'endpoints.identity'), 'endpoints.identity');
  const closers = createClosers();
  const { close } = closers;
  const transportDeps: TransportDeps = { ...deps, random: deps.random ?? Math.random };
  try {
    if (auth.kind === 'reference-token') {
      const lock = lockToken({ fingerprint: fingerprint(auth.token), now: deps.clock.now(), folder: deps.lockFolder });
      closers.add(() => lock.release());
    }
    const found = await discoverSite(settings, url, transportDeps, deps.tuning);
    for (const message of found.warnings) deps.emit({ type: 'warning', message });
    const credential = await createCredential(settings, found.authority, transportDeps, deps.tuning, closers);
    const transport = createTransport(
      { origins: new Set([new URL(found.tableApi).origin]), credential, limits: settings.limits, tuning: deps.tuning },
      transportDeps,
    );
    closers.add(() => transport.close());
    const { model, sha256 } = await readModel(transport, found, transportDeps);
    for (const message of model.warnings) deps.emit({ type: 'warning', message });
    return {
      url: instance,
      tableApi: found.tableApi,
      version: found.version,
      discovery: found,
      model,
      metadataSha256: sha256,
      transport,
      identity: { kind: credential.kind, describe: credential.describe },
      reloadModel: () => readMetadata(transport, found, transportDeps),
      close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

type Found = Discovery & ChosenEndpoints & { readonly version: string | null };

/** Discovery over a transport of its own that has no credential to lose. */
async function discoverSite(
  { instance, auth, endpoints, limits }: InstanceSettings,
  url: URL,
  deps: TransportDeps,
  tuning: Partial<TransportTuning> | undefined,
): Promise<Found> {
  const { retry } = { ...TRANSPORT_DEFAULTS, ...tuning };
  const patience = { ...retry, faultBudgetMs: Math.min(retry.faultBudgetMs, DISCOVERY_BUDGET_MS) };
  const transport = createTransport(
    { origins: new Set([url.origin]), limits: { ...limits, concurrency: 1 }, tuning: { ...tuning, retry: patience } },
    deps,
  );
  try {
    const discovery = await discover(transport, instance);
    const chosen = chooseEndpoints(discovery, instance, endpoints, auth.kind === 'service');
    return { ...discovery, ...chosen, version: await readVersion(transport, instance) };
  } finally {
    await transport.close();
  }
}

/** OAuth's library is loaded after discovery was asked, and only for whom needs it. */
async function createCredential(
  { auth }: InstanceSettings,
  authority: string,
  deps: TransportDeps,
  tuning: Partial<TransportTuning> | undefined,
  closers: Closers,
): Promise<Credential> {
  if (auth.kind === 'reference-token') return createReferenceCredential(auth);
  const { connectTimeoutMs, env } = { ...TRANSPORT_DEFAULTS, ...tuning };
  const dispatcher = createDispatcher({ connections: 1, connectTimeoutMs, env });
  closers.add(() => dispatcher.destroy());
  const { createTokenClient } = await import('./token-client.ts');
  const requestToken = createTokenClient({
    authority,
    auth,
    dispatcher,
    clock: deps.clock,
    random: deps.random,
    signal: deps.signal,
    userAgent: userAgent(),
    timeoutMs: TOKEN_TIMEOUT_MS,
    tries: TOKEN_TRIES,
  });
  return createServiceCredential(auth, { clock: deps.clock, emit: deps.emit, requestToken });
}

/** Both documents; `$metadata` decides, the service document only warns. */
async function readModel(
  transport: Transport,
  found: Found,
  deps: TransportDeps,
): Promise<{ readonly model: Model; readonly sha256: string }> {
  const { model, sha256 } = await readMetadata(transport, found, deps);
  const warnings = await serviceWarnings(transport, found.tableApi, model);
  return { model: { ...model, warnings: [...model.warnings, ...warnings] }, sha256 };
}

async function serviceWarnings(transport: Transport, tableApi: string, model: Model): Promise<readonly string[]> {
  try {
    const { bytes } = await transport.getBytes(tableApi, { purpose: 'the service document' });
    return crossCheck(model, parseServiceDocument(Buffer.from(bytes).toString('utf8')));
  } catch (thrown) {
    const minor = hasCode(thrown, 'REQUEST_REFUSED', 'INSTANCE_ANSWER', 'AUTH_FORBIDDEN');
    if (!minor) throw thrown;
    return [`the service document cannot be read, so only $metadata lists the tables: ${thrown.message}`];
  }
}

/** A `$metadata` that breaks off is read again from its beginning. */
async function readMetadata(
  transport: Transport,
  { tableApi, tableApiFrom }: Found,
  { clock, signal, random }: TransportDeps,
): Promise<{ readonly model: Model; readonly sha256: string }> {
  const url = new URL('$metadata', tableApi).href;
  return withRetries(METADATA_RETRIES, { clock, random, signal }, async () => {
    try {
      const reply = await transport.get(url, { purpose: '$metadata', accept: 'application/xml' });
      const hash = createHash('sha256');
      try {
        const model = await parseMetadata(hashed(reply.body, hash));
        return { model, sha256: hash.digest('hex') };
      } finally {
        reply.cancel();
      }
    } catch (thrown) {
      // A refusal of $metadata concerns the whole instance, not a table.
      if (hasCode(thrown, 'REQUEST_REFUSED')) throw noMetadata(thrown, tableApi, tableApiFrom);
      throw thrown;
    }
  });
}

async function* hashed(
  chunks: AsyncIterable<Uint8Array>,
  hash: { update(chunk: Uint8Array): unknown },
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}

function noMetadata(cause: TablevaultError, tableApi: string, from: ChosenEndpoints['tableApiFrom']): TablevaultError {
  const absent = [404, 405, 410].includes(Number(cause.at['status']));
  const what = absent
    ? `there is no Table API at ${tableApi} (${from})`
    : `the Table API at ${tableApi} does not give its $metadata`;
  return new TablevaultError('INSTANCE_ANSWER', `${what}: ${cause.message}`, {
    at: cause.at,
    cause,
    hint: absent
      ? 'Check that the instance has a Table API site. If it has another address, name it in the pipeline: endpoints: { tableApi: https://… }.'
      : 'Ask the administrator of the instance: its log tells more than its answer.',
  });
}
