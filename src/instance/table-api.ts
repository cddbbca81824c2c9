/** Which of the addresses that come into question is the Table API, and what it says of its tables: its `$metadata` decides. */
import { EXIT, hasCode, TablevaultError } from '../core/errors.ts';
import type { Emit } from '../core/events.ts';
import { type RetryPolicy, withRetries } from '../core/retry.ts';
import { type Model, parseMetadata } from '../odata/metadata.ts';
import { modelSha256 } from '../odata/model-hash.ts';
import { crossCheck, parseServiceDocument } from '../odata/service.ts';
import type { ChosenEndpoints } from './discovery.ts';
import { DOCUMENT_PATIENCE, type RequestPatience, type Transport } from './transport.ts';
import type { TransportDeps } from './transport-options.ts';

export interface TableApi {
  /** OData root, ends in a slash. */
  readonly root: string;
  readonly model: Model;
  /** Of what `$metadata` means (`modelSha256`). */
  readonly sha256: string;
}

/** Of a `$metadata` that breaks off, or is no XML. */
const METADATA_RETRIES: RetryPolicy = { attempts: 4, firstPauseMs: 1_000, lastPauseMs: 10_000 };
/** A site that need not work is not waited for as long as the only one. */
const TRIAL_RETRIES: RetryPolicy = { ...METADATA_RETRIES, attempts: 2 };
const TRIAL_PATIENCE: RequestPatience = {
  firstByteTimeoutMs: 30_000,
  idleTimeoutMs: 30_000,
  bodyTimeoutMs: 60_000,
  faultBudgetMs: 10_000,
};

interface Patience {
  readonly retries: RetryPolicy;
  readonly request: RequestPatience;
}

const AS_USUAL: Patience = { retries: METADATA_RETRIES, request: DOCUMENT_PATIENCE };
const ON_TRIAL: Patience = { retries: TRIAL_RETRIES, request: TRIAL_PATIENCE };

/**
 * Asks the addresses for `$metadata`, with the credential; all of them are of the instance's origin, or configured.
 *
 * @throws AMBIGUOUS_ENDPOINT when several listed sites answer, AUTH_*, INSTANCE_*, FOREIGN_ORIGIN when none does
 */
export async function findTableApi(
  chosen: ChosenEndpoints,
  transport: Transport,
  deps: TransportDeps,
): Promise<TableApi> {
  const { tableApis, tableApiFrom } = chosen;
  const found =
    tableApis.length > 1 && tableApiFrom === 'discovered'
      ? await findOnly(chosen, transport, deps)
      : await findFirst(chosen, transport, deps);
  const warnings = await serviceWarnings(transport, found);
  return { ...found, model: { ...found.model, warnings: [...found.model.warnings, ...warnings] } };
}

/** `$metadata` of the Table API that was found, once more. */
export async function reloadMetadata(
  root: string,
  chosen: ChosenEndpoints,
  transport: Transport,
  deps: TransportDeps,
): Promise<TableApi> {
  try {
    return await readMetadata(root, transport, deps, AS_USUAL);
  } catch (thrown) {
    throw answersOtherwise(thrown) ? notThere(thrown, root, chosen) : thrown;
  }
}

/** The first that answers. Where none does, the last: it is the documented place. */
async function findFirst(chosen: ChosenEndpoints, transport: Transport, deps: TransportDeps): Promise<TableApi> {
  let before: TablevaultError | undefined;
  for (const [place, root] of chosen.tableApis.entries()) {
    try {
      return await readMetadata(root, transport, deps, AS_USUAL);
    } catch (thrown) {
      const isLast = place === chosen.tableApis.length - 1;
      if (!answersOtherwise(thrown)) throw thrown;
      if (!isLast) before = thrown;
      else throw worse(before, notThere(thrown, root, chosen));
    }
  }
  throw new TablevaultError('BUG', 'no address of a Table API comes into question');
}

/** The only one that answers, of several that the instance lists. */
async function findOnly(chosen: ChosenEndpoints, transport: Transport, deps: TransportDeps): Promise<TableApi> {
  const trials = await Promise.all(
    chosen.tableApis.map(async (root) => {
      try {
        return await readMetadata(root, transport, deps, ON_TRIAL);
      } catch (thrown) {
        if (!answersOtherwise(thrown) && !hasCode(thrown, 'INSTANCE_UNREACHABLE', 'INSTANCE_TLS')) throw thrown;
        return { root, error: thrown };
      }
    }),
  );
  const working = trials.flatMap((trial) => ('error' in trial ? [] : [trial]));
  const dead = trials.flatMap((trial) => ('error' in trial ? [trial] : []));
  const [only, another] = working;
  if (only === undefined) throw noneWorks(dead);
  if (another !== undefined) throw severalWork(working, chosen.tableApis.length);
  tellChoice(only.root, dead, deps.emit);
  return only;
}

/** Did something answer, only not as a Table API? Faults of the network and of the credential say nothing of an address. */
function answersOtherwise(thrown: unknown): thrown is TablevaultError {
  return hasCode(
    thrown,
    'INSTANCE_ANSWER',
    'REQUEST_REFUSED',
    'FOREIGN_ORIGIN',
    'AUTH_TOKEN',
    'AUTH_FORBIDDEN',
    'BODY_INVALID',
    'BODY_TRUNCATED',
  );
}

/** A refusal of the credential, or an OData of another version, tells more than an address where nothing is. */
function worse(before: TablevaultError | undefined, last: TablevaultError): TablevaultError {
  const tells = (error: TablevaultError) => error.exitCode === EXIT.auth || error.at['odata'] !== undefined;
  return before !== undefined && tells(before) && !tells(last) ? before : last;
}

function tellChoice(root: string, dead: readonly { readonly root: string }[], emit: Emit): void {
  const others = dead.map((each) => each.root).join(', ');
  emit({ type: 'log', level: 'info', message: `the Table API is ${root}; listed too, and not working: ${others}` });
}

function severalWork(working: readonly TableApi[], listed: number): TablevaultError {
  const [first] = working;
  return new TablevaultError(
    'AMBIGUOUS_ENDPOINT',
    `${working.length} of ${listed} Table API sites of the instance work: ${working.map(({ root }) => root).join(', ')}`,
    { hint: `Choose one in the pipeline: endpoints: { tableApi: ${first?.root ?? ''} }.` },
  );
}

function noneWorks(dead: readonly { readonly root: string; readonly error: TablevaultError }[]): TablevaultError {
  const auth = dead.find(({ error }) => hasCode(error, 'AUTH_TOKEN', 'AUTH_FORBIDDEN'));
  if (auth !== undefined) return auth.error;
  const why = dead.map(({ root, error }) => `${root}: ${error.message}`).join('; ');
  return new TablevaultError(
    'INSTANCE_ANSWER',
    `none of the ${dead.length} Table API sites that the instance lists works: ${why}`,
    {
      hint: 'Start one of them, or name the address of the Table API in the pipeline: endpoints: { tableApi: https://… }.',
      cause: dead[0]?.error,
    },
  );
}

/** A `$metadata` that breaks off is read again from its beginning. */
async function readMetadata(
  root: string,
  transport: Transport,
  { clock, signal, random }: TransportDeps,
  { retries, request }: Patience,
): Promise<TableApi> {
  const url = new URL('$metadata', root).href;
  return withRetries(retries, { clock, random, signal }, async () => {
    const reply = await transport.get(url, { purpose: '$metadata', accept: 'application/xml', patience: request });
    try {
      const model = await parseMetadata(reply.body);
      return { root, model, sha256: modelSha256(model) };
    } finally {
      reply.cancel();
    }
  });
}

/** The service document only warns. */
async function serviceWarnings(transport: Transport, { root, model }: TableApi): Promise<readonly string[]> {
  try {
    const { bytes } = await transport.getBytes(root, { purpose: 'the service document', patience: DOCUMENT_PATIENCE });
    return crossCheck(model, parseServiceDocument(Buffer.from(bytes).toString('utf8')));
  } catch (thrown) {
    const minor = hasCode(thrown, 'REQUEST_REFUSED', 'INSTANCE_ANSWER', 'AUTH_FORBIDDEN');
    if (!minor) throw thrown;
    return [`the service document cannot be read, so only $metadata lists the tables: ${thrown.message}`];
  }
}

/** A refusal of `$metadata` concerns the whole instance, not a table. */
function notThere(cause: TablevaultError, root: string, { tableApiFrom, elsewhere }: ChosenEndpoints): TablevaultError {
  if (!hasCode(cause, 'REQUEST_REFUSED')) return cause;
  const absent = [404, 405, 410].includes(Number(cause.at['status']));
  const what = absent
    ? `there is no Table API at ${root} (${tableApiFrom})`
    : `the Table API at ${root} does not give its $metadata`;
  const others =
    elsewhere.length === 0
      ? ''
      : ` Auto-discovery lists another on another origin, which was not asked: ${elsewhere.join(', ')}.`;
  return new TablevaultError('INSTANCE_ANSWER', `${what}: ${cause.message}`, {
    at: cause.at,
    cause,
    hint: `${
      absent
        ? 'Check that the instance has a Table API site. If it has another address, name it in the pipeline: endpoints: { tableApi: https://… }.'
        : 'Ask the administrator of the instance: its log tells more than its answer.'
    }${others}`,
  });
}
