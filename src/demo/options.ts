/** Everything that can be set of the demo instance, with its defaults in one place. */
import type { Clock } from '../core/clock.ts';
import type { TrustedApplication } from './applications.ts';
import type { Value } from './model.ts';
import type { Personality } from './personality.ts';
import type { Rights } from './rights.ts';

/** Sessions, seats, slots, and how fast the server answers. */
export interface DemoLimits {
  /** `GlobalConcurrentRequests`: requests served at once over all sessions. Default 2. */
  readonly slots: number;
  /** Requests that wait behind the slots; the next one gets 429. Default 5. */
  readonly queue: number;
  /** `SessionRpm`: requests of one session in a minute; null is unlimited. Default null. */
  readonly sessionRpm: number | null;
  /** `SessionConcurrentRequests`; null is unlimited. Default null. */
  readonly sessionConcurrent: number | null;
  /** Seconds in `Retry-After` of a 429; null sends none, and a number below 0 is for a date in the past. Default null. */
  readonly retryAfterSeconds: number | null;
  /** Form of every `Retry-After`. Default `seconds`. */
  readonly retryAfterAs: 'seconds' | 'date';
  /** How far the clock of the web server, which writes `Date` and dates in `Retry-After`, is ahead. Default 0. */
  readonly clockAheadMs: number;
  /** Other clients: slots and queue places they hold, steadily or `onMs` of every `onMs + offMs`. */
  readonly others: {
    readonly slots: number;
    readonly queue: number;
    readonly onMs?: number;
    readonly offMs?: number;
  };
  /** Licence seats, and how many of them people hold already. Defaults 20 and 0. */
  readonly seats: number;
  readonly seatsTaken: number;
  /** Status that goes with `MaximumLicenseCountExceeded`. Default 500: not documented. */
  readonly seatErrorStatus: number;
  /** Default 20 minutes. */
  readonly sessionIdleMs: number;
  /** Default 1 hour, for service sessions. */
  readonly sessionLifeMs: number;
  /** Is a response that streams past the end of its session cut? Default true. */
  readonly cutAtSessionEnd: boolean;
  /** Does a renewed token open a second session while the first idles out? Default true. */
  readonly renewedTokenTakesSeat: boolean;
  /** Life of access tokens. Default 3600 s. */
  readonly accessTokenSeconds: number;
  /** Time from admission to the first byte. Default 0. */
  readonly latencyMs: number;
  /** Body bytes a second of one slot; null is as fast as it goes. Default null. */
  readonly bytesPerSecond: number | null;
}

export const DEFAULT_LIMITS: DemoLimits = {
  slots: 2,
  queue: 5,
  sessionRpm: null,
  sessionConcurrent: null,
  retryAfterSeconds: null,
  retryAfterAs: 'seconds',
  clockAheadMs: 0,
  others: { slots: 0, queue: 0 },
  seats: 20,
  seatsTaken: 0,
  seatErrorStatus: 500,
  sessionIdleMs: 20 * 60_000,
  sessionLifeMs: 60 * 60_000,
  cutAtSessionEnd: true,
  renewedTokenTakesSeat: true,
  accessTokenSeconds: 3600,
  latencyMs: 0,
  bytesPerSecond: null,
};

export type FaultAction =
  /** The connection is reset before any answer. */
  | 'reset'
  /** Nothing is ever answered. */
  | 'hang'
  /** The body stops after `afterBytes`, and the connection stays open. */
  | 'hang-in-body'
  /** The connection is destroyed after `afterBytes` of the body. */
  | 'cut'
  /** The body ends properly, as far as HTTP can tell, after `afterBytes`. */
  | 'cut-clean'
  /** An error object takes the place of the next row; the JSON ends properly. */
  | 'error-in-stream'
  /** An error object after some rows, and the JSON is left open. */
  | 'error-in-stream-open'
  /** A flat error object (`message`, `code`, …) takes the place of the next row after half of the rows; the JSON ends properly. */
  | 'flat-error-in-stream'
  /** After half of the rows, beside `value`, stand the members of an error, flat or below `error` as `errorShape` says. */
  | 'error-beside-rows'
  /** A page of half its rows, well formed and without a link. */
  | 'short'
  /** A page without rows and link; a count beside it tells the truth. */
  | 'empty'
  /** The last row of the page comes twice. */
  | 'duplicate-row'
  /** The next link names another origin (a listener of this instance that counts what it is sent). */
  | 'link-foreign'
  /** The next link is the request's own address. */
  | 'link-loop'
  /** The token of the request is revoked: 401 from now on. */
  | 'revoke-token'
  /** A redirect to the other origin. */
  | 'redirect-foreign'
  /** An HTML page with status 200, as proxies send. */
  | 'html'
  | { readonly status: number; readonly retryAfterSeconds?: number; readonly body?: string }
  /** These changes are written before the request is answered as ever. */
  | { readonly write: WriteOrder };

/** Changes of rows. */
export interface WriteOrder {
  readonly inserts?: number;
  readonly updates?: number;
  readonly deletes?: number;
  /** Tables to write to; by default all that have a single GUID as key and a Row_Version. */
  readonly tables?: readonly string[];
  /** Which rows in key order are updated and deleted: any, the first, or the last that exist. Insertions with `last` go to the end. Default `any`. */
  readonly where?: 'any' | 'first' | 'last';
}

export interface Fault {
  readonly on: {
    /** Tested against the path with its query; a string is a regular expression. */
    readonly path?: RegExp | string;
    readonly method?: string;
    /** The n-th matching request, from 1; without it, every one. */
    readonly nth?: number;
    /** How many matching requests in a row from `nth` on. Default 1 with `nth`, else unlimited. */
    readonly times?: number;
    /** Only within so many milliseconds of the first matching request. */
    readonly forMs?: number;
    /** Each matching request with this chance, 0 to 1, drawn from the seed. */
    readonly chance?: number;
  };
  readonly do: FaultAction;
  /** For faults within a body. Default 1000. */
  readonly afterBytes?: number;
}

/** One value put in the place of a generated one. */
export interface ValueOverride {
  readonly table: string;
  /** Position in key order, from 0. */
  readonly row: number;
  readonly column: string;
  /** A value, a text that repeats, or JSON that is sent as it stands, whether or not it fits the column (the true row then has null). */
  readonly value: Value | { readonly repeat: string; readonly times: number } | { readonly json: string };
}

export interface DemoOptions {
  /** Port on 127.0.0.1; 0 (default) takes a free one. */
  readonly port?: number;
  readonly controlPort?: number;
  /** The data is a function of it. Default 1. */
  readonly seed?: number;
  /** Factor on the number of rows of every table. Default 1. */
  readonly rows?: number;
  /** Exact number of rows of some tables. */
  readonly tableRows?: Readonly<Record<string, number>>;
  /** Serve these tables only (with `Dmv_Table_Info` only if named). */
  readonly tables?: readonly string[];
  /** Tables (or all) whose rows repeat a thousand pre-encoded ones with own key and Row_Version: for benchmarks. */
  readonly template?: boolean | readonly string[];
  /** A table model as JSON array or JSON lines in the form of `schemas/demo/tables.jsonl`, in place of the 40 built-in tables. */
  readonly modelFile?: string;
  /** Rows of a table of `modelFile` that states none. Default 40. */
  readonly modelRows?: number;
  readonly values?: readonly ValueOverride[];
  readonly personality?: Partial<Personality>;
  readonly limits?: Partial<DemoLimits>;
  readonly rights?: Partial<Rights>;
  readonly faults?: readonly Fault[];
  /** Trusted Applications beside the built-in ones. */
  readonly applications?: readonly TrustedApplication[];
  readonly clock?: Clock;
}

/** What `configure` may change while the instance serves; what is not named stays. `faults` replaces the list. */
export interface DemoChanges {
  readonly personality?: Partial<Personality>;
  readonly limits?: Partial<DemoLimits>;
  readonly rights?: Partial<Rights>;
  readonly faults?: readonly Fault[];
}
