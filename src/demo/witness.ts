/** What the instance saw: requests, bytes, slots, tokens and headers; the word of a witness for tests of the product. */
import type { IncomingHttpHeaders } from 'node:http';
import type { FiredFault } from './faults.ts';
import type { SlotStats } from './slots.ts';

export interface RequestRecord {
  /** Origin by role: `instance`, or `foreign` for the listener that no credential may reach. */
  readonly origin: 'instance' | 'foreign';
  readonly method: string;
  /** Path with query. */
  readonly url: string;
  readonly atMs: number;
  status: number;
  /** Body bytes on the wire. */
  bytes: number;
  ms: number;
  /** Did the whole answer go out? */
  complete: boolean;
}

export interface Witness extends SlotStats {
  readonly requests: number;
  /** `GET /tableapi/odata/Gen_Documents` to the number of requests. */
  readonly byRoute: Readonly<Record<string, number>>;
  readonly byMethod: Readonly<Record<string, number>>;
  readonly byStatus: Readonly<Record<string, number>>;
  /** Response body bytes on the wire. */
  readonly bytes: number;
  readonly tooManyRequests: number;
  readonly tokens: { readonly issued: number; readonly alive: number; readonly maxAlive: number };
  readonly sessions: {
    readonly open: number;
    readonly opened: number;
    readonly maxOpen: number;
    readonly refused: number;
  };
  /** Names and values of headers seen, by origin; credentials are only counted. */
  readonly headers: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  /** Requests that carried a credential, by origin. */
  readonly credentials: Readonly<Record<string, number>>;
  /** Requests whose token was last used by another process or machine. */
  readonly sharedTokenRequests: number;
  readonly faults: readonly FiredFault[];
  /** The last requests, oldest first. */
  readonly log: readonly RequestRecord[];
}

export interface WitnessBook {
  begin(origin: 'instance' | 'foreign', method: string, url: string, headers: IncomingHttpHeaders): RequestRecord;
  shared(): void;
  read(rest: Pick<Witness, 'tokens' | 'sessions' | 'faults'> & SlotStats): Witness;
}

const LOG_LENGTH = 20_000;
const VALUES_KEPT = 20;
const CREDENTIAL_HEADERS = ['authorization', 'x-api-key', 'api-key'];

export function createWitness(now: () => number): WitnessBook {
  const log: RequestRecord[] = [];
  const byRoute = new Map<string, number>();
  const byMethod = new Map<string, number>();
  const headersSeen = new Map<string, Map<string, Set<string>>>();
  const credentials = new Map<string, number>([
    ['instance', 0],
    ['foreign', 0],
  ]);
  const all = { requests: 0, bytes: 0, shared: 0 };
  const byStatus = new Map<string, number>();
  const settled = new WeakSet<RequestRecord>();

  const count = (map: Map<string, number>, key: string) => map.set(key, (map.get(key) ?? 0) + 1);
  /** Adds finished requests to the sums; those under way are added when they are read. */
  const sum = () => {
    for (const record of log) {
      if (record.status === 0 || settled.has(record) || record.ms < 0) continue;
      settled.add(record);
      count(byStatus, String(record.status));
      all.bytes += record.bytes;
    }
  };

  return {
    begin(origin, method, url, headers) {
      all.requests++;
      count(byRoute, `${method} ${url.split('?')[0]}`);
      count(byMethod, method);
      let seen = headersSeen.get(origin);
      if (seen === undefined) {
        seen = new Map();
        headersSeen.set(origin, seen);
      }
      let carries = false;
      for (const [name, value] of Object.entries(headers)) {
        const secret = CREDENTIAL_HEADERS.includes(name);
        carries ||= secret;
        const values = seen.get(name) ?? new Set();
        if (values.size < VALUES_KEPT) values.add(secret ? '[credential]' : String(value));
        seen.set(name, values);
      }
      if (carries) count(credentials, origin);
      const record: RequestRecord = { origin, method, url, atMs: now(), status: 0, bytes: 0, ms: -1, complete: false };
      log.push(record);
      if (log.length > LOG_LENGTH) {
        sum();
        log.splice(0, LOG_LENGTH / 10);
      }
      return record;
    },
    shared() {
      all.shared++;
    },
    read(rest) {
      sum();
      return {
        ...rest,
        requests: all.requests,
        byRoute: Object.fromEntries(byRoute),
        byMethod: Object.fromEntries(byMethod),
        byStatus: Object.fromEntries(byStatus),
        bytes: all.bytes,
        tooManyRequests: byStatus.get('429') ?? 0,
        headers: Object.fromEntries(
          [...headersSeen].map(([origin, seen]) => [
            origin,
            Object.fromEntries([...seen].map(([name, values]) => [name, [...values]])),
          ]),
        ),
        credentials: Object.fromEntries(credentials),
        sharedTokenRequests: all.shared,
        log: log.map((record) => ({ ...record })),
      };
    },
  };
}
