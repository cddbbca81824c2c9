/** The body of an answer with rows: control information, the rows, links, and the faults that can befall them. */
import type { FaultAction } from './options.ts';
import type { Continuation } from './paging.ts';
import type { Personality } from './personality.ts';
import type { Query } from './query.ts';
import type { Ending, ReadPlan } from './read.ts';

export interface BodyRequest {
  readonly personality: Personality;
  /** `http://127.0.0.1:port/tableapi/odata/`. */
  readonly root: string;
  readonly foreignUrl: string;
  /** The entity set. */
  readonly name: string;
  /** The query with its question mark, as it was asked. */
  readonly search: string;
  readonly query: Query;
  readonly plan: ReadPlan;
  readonly fault: FaultAction | undefined;
}

/** The chunks of `{"@odata.context":…,"value":[…],"@odata.nextLink":…}`. */
export function* pageBody(request: BodyRequest): Generator<Buffer> {
  const { personality, query, plan, fault } = request;
  const { open, colon, close } = SPACES[personality.json];
  const member = (name: string, value: string) => `${open}${JSON.stringify(name)}${colon}${value}`;
  const control = (name: string, value: string) => member(`${personality.controlPrefix}${name}`, value);
  const columns = plan.selected === null ? '' : `(${plan.selected.join(',')})`;
  const linkMember = (continuation: Continuation) => {
    const link = linkText(request, continuation);
    return link === null ? '' : control('nextLink', link);
  };

  const linkFirst =
    personality.nextLinkPosition === 'before' && (query.top !== null || personality.serverPage !== null);
  const counted = query.count && !(personality.counts === 'unfiltered' && query.filter.length > 0);
  const rows = plan.chunks();
  // What stands before the rows and depends on them needs them first.
  const held: Buffer[] = [];
  let ending: Ending | null = null;
  if (linkFirst || (counted && personality.counts === 'page')) {
    let step = rows.next();
    for (; !step.done; step = rows.next()) held.push(step.value);
    ending = step.value;
  }
  let head = `{${control('context', JSON.stringify(`${request.root}$metadata#${request.name}${columns}`))},`;
  if (counted && personality.counts !== 'ignored') {
    const count = String(personality.counts === 'page' ? ending!.rows : plan.count());
    head += `${control('count', personality.countForm === 'string' ? `"${count}"` : count)},`;
  }
  const early = linkFirst && fault !== 'short' ? linkMember(ending!.continuation) : '';
  if (early !== '') head += `${early},`;
  yield Buffer.from(`${head}${member('value', '[')}`);

  let opened = false;
  let last: Buffer | null = null;
  const sent = function* (chunk: Buffer): Generator<Buffer> {
    yield opened ? chunk : chunk.subarray(1);
    opened = true;
    last = chunk;
  };
  const source = ending === null ? rows : held[Symbol.iterator]();
  for (;;) {
    const step = source.next();
    if (step.done) {
      ending ??= step.value ?? null;
      break;
    }
    if (fault === 'empty') continue;
    if (fault === 'short' || fault === 'flat-error-in-stream' || fault === 'error-beside-rows') {
      yield* sent(half(step.value));
      break;
    }
    yield* sent(step.value);
    if (fault === 'error-in-stream' || fault === 'error-in-stream-open') break;
  }
  if (fault === 'duplicate-row' && last !== null) yield last;
  if (fault === 'error-in-stream' || fault === 'error-in-stream-open') {
    yield Buffer.from(`${opened ? ',' : ''}{"error":{${ERROR}}}`);
    if (fault === 'error-in-stream-open') return;
  }
  if (fault === 'flat-error-in-stream') yield Buffer.from(`${opened ? ',' : ''}{${ERROR}}`);
  const silent = fault === 'short' || fault === 'empty' || fault === 'error-beside-rows';
  const late = linkFirst || silent ? '' : linkMember(ending?.continuation ?? null);
  const error = personality.errorShape === 'nested' ? `,"error":{${ERROR}}` : `,${ERROR}`;
  const tail = fault === 'error-beside-rows' ? error : late === '' ? '' : `,${late}`;
  yield Buffer.from(`${close}]${tail}${close}}`);
}

const ERROR = '"message":"The connection to the database was lost.","code":500,"type":"SqlException","info":""';

/** White space before a member's name, around its colon, and before what closes the rows and the body. */
const SPACES: Readonly<
  Record<Personality['json'], { readonly open: string; readonly colon: string; readonly close: string }>
> = {
  compact: { open: '', colon: ':', close: '' },
  pretty: { open: '\n  ', colon: ': ', close: '\n  ' },
  spaced: { open: ' \t\r\n', colon: '\r\n :\t \n', close: '\t\r\n ' },
};

/** The first half of a chunk, in bytes and cut between rows. */
function half(chunk: Buffer): Buffer {
  const at = chunk.lastIndexOf('},', Math.floor(chunk.length / 2));
  return at < 0 ? chunk.subarray(0, 0) : chunk.subarray(0, at + 1);
}

/** The value of a next link as JSON, or null where there is none. */
function linkText(request: BodyRequest, continuation: Continuation): string | null {
  const { fault, name, root } = request;
  if (fault === 'link-foreign') {
    const query = continuation !== null && 'query' in continuation ? continuation.query : '';
    return JSON.stringify(`${request.foreignUrl}/tableapi/odata/${name}?${query}`);
  }
  if (fault === 'link-loop') return JSON.stringify(`${root}${encodeURIComponent(name)}${request.search}`);
  if (continuation === null) return null;
  if ('literal' in continuation) return continuation.literal;
  const relative = `${encodeURIComponent(name)}?${continuation.query}`;
  return JSON.stringify(request.personality.nextLink === 'absolute' ? root + relative : relative);
}
