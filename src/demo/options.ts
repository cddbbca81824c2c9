/** Everything that can be set of the demo instance, with its defaults in one place. */
import type { Clock } from '../core/clock.ts';
import type { TrustedApplication } from './applications.ts';
import type { Value } from './model.ts';
import type { Rights } from './rights.ts';

/**
 * Ways in which instances differ where the vendor's documentation is silent or speaks of a sister API only.
 * Each is a switch; `configure` may turn any of them while the instance serves.
 */
export interface Personality {
  /** What a page with `$top` carries while rows remain. Default `relative`. */
  readonly nextLink: 'relative' | 'absolute' | 'none';
  /** Where the link stands in the body. Default `after` the rows. */
  readonly nextLinkPosition: 'after' | 'before';
  /** How `uniqueidentifier` compares and sorts. Default `sql`; `text` shows a client what it must not assume. */
  readonly guidOrder: 'sql' | 'text';
  /** Order of rows where no link follows: by key, or any order the engine likes. Default `key`. */
  readonly rowOrder: 'key' | 'any';
  /** Are `ge` and `le` on key columns taken? Default true. */
  readonly keyFilter: boolean;
  /** Is `$count` (the option and the `/$count` path) known? Default true. */
  readonly count: boolean;
  /** Is `$skip` known? Default false. */
  readonly skip: boolean;
  /** Is `$orderby` (on columns the model marks sortable, and on the key) known? Default false. */
  readonly orderby: boolean;
  /** Which references a filter path may follow. Default `all`. */
  readonly filterReferences: 'owners' | 'all';
  /** Are the documented default values of filters in force when a read does not name the column? Default false. */
  readonly defaultFilters: boolean;
  /** Are times in date literals kept, or cut to the date? Default `kept`. */
  readonly dateLiterals: 'kept' | 'cut';
  /** Is `Dmv_Table_Info` readable, forbidden, empty, or true of the start only? Default `readable`. */
  readonly tableInfo: 'readable' | 'forbidden' | 'empty' | 'stale';
  /** Order of the properties of a row. Default `declared`. */
  readonly properties: 'declared' | 'shuffled';
  /** Are null properties written or left out? Default `written`. */
  readonly nulls: 'written' | 'omitted';
  /** Extra properties in each row: `@odata.etag`, and one that `$metadata` does not know. Default none. */
  readonly extraProperties: readonly ('etag' | 'unknown')[];
  readonly json: 'compact' | 'pretty';
  /** How text is escaped: what must be, or everything that can be (`\u0431`, `\/`). Default `minimal`. */
  readonly escapes: 'minimal' | 'all';
  /** `numbers` 12.50, `trimmed` 12.5, `exponent` 1.250e1, `strings` "12.50". Default `numbers`. */
  readonly decimals: 'numbers' | 'trimmed' | 'exponent' | 'strings';
  /** Does a request for `IEEE754Compatible=true` turn Int64 and Decimal into strings? Default `ignored`. */
  readonly ieee754: 'ignored' | 'honoured';
  /** Type and form of `date` columns. Default `Date`. */
  readonly dates: 'Date' | 'DateTimeOffset';
  /** Type and form of `time` columns. Default `TimeOfDay`. */
  readonly times: 'TimeOfDay' | 'Duration';
  /** Instants as UTC with `Z`, or with the offset +02:00. Default `utc`. */
  readonly instants: 'utc' | 'offset';
  readonly binaries: 'base64' | 'base64url';
  readonly guidCase: 'lower' | 'upper';
  /** Multi-language text: the same for everybody, or chosen by `Accept-Language`. Default `fixed`. */
  readonly multiLanguage: 'fixed' | 'accept-language';
  /** Content codings offered, best first. Default gzip and br. */
  readonly compression: readonly ('gzip' | 'br')[];
  /** Cut every body into chunks of so many bytes; 0 leaves them as they come. Default 0. */
  readonly chunkBytes: number;
  /** Where auto-discovery answers. Default `tools`. */
  readonly discovery: 'tools' | 'sys' | 'both' | 'none';
  /**
   * `private` leaves the Table API site out of the list; `two` lists a second one, which works too; `one-of-two` lists one before it that is
   * not there. Default `listed`.
   */
  readonly tableApiSite: 'listed' | 'private' | 'not-working' | 'two' | 'foreign' | 'one-of-two';
  /** Is the error object flat, or below `error`? Default `flat`. */
  readonly errorShape: 'flat' | 'nested';
  /** Status of a request the server does not understand. Default 500, as the vendor's Domain API. */
  readonly requestErrorStatus: 400 | 500;
  /** Does `$metadata` mark password columns? Default true. */
  readonly passwordsMarked: boolean;
  /** Entity sets with hostile names beside the real ones. Default false. */
  readonly hostileNames: boolean;
  /** Longest request target in bytes; longer ones get 414. Default 8190, as common web servers have it. */
  readonly maxUrlBytes: number;
  /** Are the bytes of `$metadata` the same each time, or do comment and white space change though it says the same? Default `same`. */
  readonly metadataText: 'same' | 'restamped';
  /** `loose`: the issuer ends in a slash, members without a value are null, and `expires_in` is text. Default `plain`. */
  readonly authorityAnswers: 'plain' | 'loose';
}

export const DEFAULT_PERSONALITY: Personality = {
  nextLink: 'relative',
  nextLinkPosition: 'after',
  guidOrder: 'sql',
  rowOrder: 'key',
  keyFilter: true,
  count: true,
  skip: false,
  orderby: false,
  filterReferences: 'all',
  defaultFilters: false,
  dateLiterals: 'kept',
  tableInfo: 'readable',
  properties: 'declared',
  nulls: 'written',
  extraProperties: [],
  json: 'compact',
  escapes: 'minimal',
  decimals: 'numbers',
  ieee754: 'ignored',
  dates: 'Date',
  times: 'TimeOfDay',
  instants: 'utc',
  binaries: 'base64',
  guidCase: 'lower',
  multiLanguage: 'fixed',
  compression: ['gzip', 'br'],
  chunkBytes: 0,
  discovery: 'tools',
  tableApiSite: 'listed',
  errorShape: 'flat',
  requestErrorStatus: 500,
  passwordsMarked: true,
  hostileNames: false,
  maxUrlBytes: 8190,
  metadataText: 'same',
  authorityAnswers: 'plain',
};

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
  /** Seconds in `Retry-After` of a 429; null sends none. Default null. */
  readonly retryAfterSeconds: number | null;
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
  /** A page of half its rows, well formed and without a link. */
  | 'short'
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
  | { readonly status: number; readonly retryAfterSeconds?: number; readonly body?: string };

export interface Fault {
  readonly on: {
    /** Tested against the path with its query; a string is a regular expression. */
    readonly path?: RegExp | string;
    readonly method?: string;
    /** The n-th matching request, from 1; without it, every one. */
    readonly nth?: number;
    /** How many matching requests in a row from `nth` on. Default 1 with `nth`, else unlimited. */
    readonly times?: number;
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
  readonly value: Value | { readonly repeat: string; readonly times: number };
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
