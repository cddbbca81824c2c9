/** Discovery, identity, scope and Table API of an instance, one by one: the steps of `openInstance`, each with its own word. */
import type { Clock } from '../../core/clock.ts';
import type { Emit } from '../../core/events.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import { plural } from '../../core/words.ts';
import {
  allConfigured,
  type ChosenEndpoints,
  chooseEndpoints,
  type Discovery,
  discoverWorking,
  NOTHING_DISCOVERED,
} from '../../instance/discovery.ts';
import { createDispatcher } from '../../instance/dispatcher.ts';
import { type Instance, openInstance } from '../../instance/open.ts';
import type { TokenGrant } from '../../instance/token-checks.ts';
import { createTokenClient } from '../../instance/token-client.ts';
import { createTransport, DOCUMENT_PATIENCE } from '../../instance/transport.ts';
import { TRANSPORT_DEFAULTS, type TransportTuning } from '../../instance/transport-options.ts';
import { userAgent } from '../../instance/user-agent.ts';
import type { StepFinding } from './steps.ts';

export interface DoctorDeps {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

/** Someone waits for the answer: a fault is told soon rather than waited out. */
const IMPATIENT: Partial<TransportTuning> = {
  connectTimeoutMs: 10_000,
  firstByteTimeoutMs: 60_000,
  idleTimeoutMs: 60_000,
  retry: {
    ...TRANSPORT_DEFAULTS.retry,
    firstContactTries: 1,
    faultBudgetMs: 5_000,
    busyBudgetMs: 20_000,
    seatsBudgetMs: 1_000,
  },
};
const TOKEN_TIMEOUT_MS = 20_000;
/** A clock that is further off than this breaks signatures and the age of snapshots, ms. */
const SKEW_MS = 60_000;

export type Endpoints = Discovery & ChosenEndpoints;

/** Where the instance keeps its sites. */
export async function findSites(pipeline: Pipeline, deps: DoctorDeps): Promise<StepFinding<Endpoints>> {
  const { instance, endpoints, auth } = pipeline;
  const transport = createTransport(
    { origins: new Set([new URL(instance).origin]), limits: { concurrency: 1, deadlineMs: 60_000 }, tuning: IMPATIENT },
    { ...deps, random: Math.random },
  );
  try {
    const needsAuthority = auth.kind === 'service';
    const configured = allConfigured(endpoints, needsAuthority);
    const discovery = configured
      ? NOTHING_DISCOVERED
      : await discoverWorking(transport, instance, needsAuthority && endpoints.identity === undefined);
    const chosen = chooseEndpoints(discovery, instance, endpoints, needsAuthority);
    const from = configured
      ? 'all addresses are configured, so auto-discovery is not asked'
      : discovery.source === null
        ? 'no auto-discovery document'
        : `auto-discovery of database ${discovery.databaseName ?? '(unnamed)'}`;
    const details = [
      `Table API: ${chosen.tableApis.join(' or ')} (${chosen.tableApiFrom})`,
      ...(auth.kind === 'service' ? [`identity: ${chosen.authority}`] : []),
      ...chosen.warnings,
    ];
    const base = {
      found: configured ? from : `${from}, ${plural(discovery.sites.length, 'site')} listed`,
      details,
      value: { ...discovery, ...chosen },
    };
    if (chosen.warnings.length === 0) return base;
    return { ...base, fix: 'Ask the administrator of the instance why it does not report the site as working.' };
  } finally {
    await transport.close();
  }
}

/** A token for a service identity; a reference token is only described, the Table API judges it. */
export async function askForToken(
  { auth }: Pipeline,
  { authority }: Endpoints,
  { clock, signal }: DoctorDeps,
): Promise<StepFinding<TokenGrant | null>> {
  if (auth.kind === 'reference-token') {
    const sent = auth.header === 'authorization' ? 'Authorization' : 'X-Api-Key';
    return { found: `a reference token, sent in ${sent}; the Table API will show whether it is valid`, value: null };
  }
  const { connectTimeoutMs, env } = TRANSPORT_DEFAULTS;
  const dispatcher = createDispatcher({ connections: 1, connectTimeoutMs, env });
  try {
    const requestToken = createTokenClient({
      authority,
      auth,
      dispatcher,
      clock,
      random: Math.random,
      signal,
      userAgent: userAgent(),
      timeoutMs: TOKEN_TIMEOUT_MS,
      tries: 2,
    });
    const grant = await requestToken();
    const minutes = Math.round(grant.lifetimeMs / 60_000);
    return { found: `Trusted Application ${auth.clientId}: a token for ${plural(minutes, 'minute')}`, value: grant };
  } finally {
    await dispatcher.destroy();
  }
}

export function judgeScope(grant: TokenGrant | null): StepFinding {
  if (grant === null) return { found: 'a reference token has the scope that it was issued with', value: undefined };
  const found = `granted: ${grant.scopes.join(' ') || '(not stated)'}`;
  if (grant.warnings.length === 0) return { found, value: undefined };
  return {
    found,
    details: grant.warnings,
    fix: '`read` is enough: take the others from Scope of the Trusted Application.',
    value: undefined,
  };
}

/** Opens the instance as a snapshot does, and reads its `$metadata`. */
export async function openTableApi(pipeline: Pipeline, deps: DoctorDeps): Promise<StepFinding<Instance>> {
  const instance = await openInstance(pipeline, { ...deps, tuning: IMPATIENT });
  const { model, version, tableApi } = instance;
  const columns = model.tables.reduce((sum, table) => sum + table.columns.length, 0);
  const found = `${tableApi}: ${plural(model.tables.length, 'table')} with ${plural(columns, 'column')} in $metadata`;
  const details = [`version ${version ?? '(not stated)'}`, await instance.identity.describe(), ...model.warnings];
  return { found, details, value: instance };
}

export interface Answered {
  readonly headers: Readonly<Record<string, string>>;
}

/** Compares this machine's clock with the instance's, by the `Date` of an answer. */
export async function compareClocks(instance: Instance, { clock, signal }: DoctorDeps): Promise<StepFinding<Answered>> {
  const asked = clock.now();
  const { headers } = await instance.transport.getBytes(new URL('$metadata', instance.tableApi).href, {
    purpose: 'the clock',
    accept: 'application/xml',
    patience: DOCUMENT_PATIENCE,
    signal,
  });
  const answered = clock.now();
  const theirs = Date.parse(headers['date'] ?? '');
  const value = { headers };
  if (Number.isNaN(theirs)) return { found: 'the instance does not state its time', value };
  // The header counts whole seconds, and was written at some moment between the two.
  const off = theirs < asked - 1000 ? theirs - asked : theirs > answered ? theirs - answered : 0;
  const seconds = Math.round(Math.abs(off) / 1000);
  const found = `${seconds === 0 ? 'no' : `${seconds} s`} difference between the clock here and the instance's`;
  if (Math.abs(off) <= SKEW_MS) return { found, value };
  return {
    found,
    fix: 'Correct the clock of this machine (NTP), or ask the administrator to correct the clock of the instance.',
    value,
  };
}
