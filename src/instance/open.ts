/** From settings to an instance that can be read: discovery, identity, `$metadata`. */
import type { Clock } from '../core/clock.ts';
import { type Closers, createClosers } from '../core/closers.ts';
import type { Emit } from '../core/events.ts';
import type { Auth, Pipeline } from '../core/pipeline.ts';
import type { Model } from '../odata/metadata.ts';
import { type Credential, createReferenceCredential, createServiceCredential, fingerprint } from './credential.ts';
import {
  allConfigured,
  type ChosenEndpoints,
  chooseEndpoints,
  type Discovery,
  discoverWorking,
  NOTHING_DISCOVERED,
  readVersion,
} from './discovery.ts';
import { createDispatcher } from './dispatcher.ts';
import { refuseGlobalIdentity, usableUrl } from './origins.ts';
import { findTableApi, reloadMetadata } from './table-api.ts';
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
  /** SHA-256 of what `$metadata` means, hexadecimal: the same however it is written. */
  readonly metadataSha256: string;
  readonly transport: Transport;
  readonly identity: { readonly kind: Auth['kind']; readonly describe: () => Promise<string> };
  /** Reads `$metadata` again. */
  reloadModel(): Promise<{ readonly model: Model; readonly sha256: string }>;
  close(): Promise<void>;
}

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
      {
        origins: new Set(found.tableApis.map((root) => new URL(root).origin)),
        credential,
        limits: settings.limits,
        tuning: deps.tuning,
      },
      transportDeps,
    );
    closers.add(() => transport.close());
    const { root, model, sha256 } = await findTableApi(found, transport, transportDeps);
    for (const message of model.warnings) deps.emit({ type: 'warning', message });
    return {
      url: instance,
      tableApi: root,
      version: found.version,
      discovery: found,
      model,
      metadataSha256: sha256,
      transport,
      identity: { kind: credential.kind, describe: credential.describe },
      reloadModel: () => reloadMetadata(root, found, transport, transportDeps),
      close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

type Found = Discovery & ChosenEndpoints & { readonly version: string | null };

/** Discovery over a transport of its own that has no credential to lose. Where every address is configured, the instance is asked nothing. */
async function discoverSite(
  { instance, auth, endpoints, limits }: InstanceSettings,
  url: URL,
  deps: TransportDeps,
  tuning: Partial<TransportTuning> | undefined,
): Promise<Found> {
  const needsAuthority = auth.kind === 'service';
  if (allConfigured(endpoints, needsAuthority)) {
    return {
      ...NOTHING_DISCOVERED,
      ...chooseEndpoints(NOTHING_DISCOVERED, instance, endpoints, needsAuthority),
      version: null,
    };
  }
  const { retry } = { ...TRANSPORT_DEFAULTS, ...tuning };
  const patience = { ...retry, faultBudgetMs: Math.min(retry.faultBudgetMs, DISCOVERY_BUDGET_MS) };
  const transport = createTransport(
    { origins: new Set([url.origin]), limits: { ...limits, concurrency: 1 }, tuning: { ...tuning, retry: patience } },
    deps,
  );
  try {
    const discovery = await discoverWorking(transport, instance, needsAuthority && endpoints.identity === undefined);
    const chosen = chooseEndpoints(discovery, instance, endpoints, needsAuthority);
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
  const { connectTimeoutMs, firstByteTimeoutMs, env } = { ...TRANSPORT_DEFAULTS, ...tuning };
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
    timeoutMs: Math.min(TOKEN_TIMEOUT_MS, firstByteTimeoutMs),
    tries: TOKEN_TRIES,
  });
  return createServiceCredential(auth, { clock: deps.clock, emit: deps.emit, requestToken });
}
