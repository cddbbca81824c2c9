/** What the demo instance is like where the vendor's documentation is silent, and how far it can go wrong and still answer with 200. */

/** What a key is made of; `number` is for every type of number, `date` for those of time. */
export type KeyKind = 'guid' | 'text' | 'number' | 'date' | 'composite';

/** Where an answer ends early. */
export type Cut =
  /** After so many rows. */
  | { readonly rows: number }
  /** Before the row that would take its rows beyond so many bytes, but not before its first row. */
  | { readonly bytes: number }
  /** After a number of rows between these two, drawn anew (from the seed) for each answer. */
  | { readonly between: readonly [number, number] }
  /** After this share, 0 to 1, of the rows it should have. */
  | { readonly share: number }
  /** No row after the table's first so many, in key order, is ever sent. */
  | { readonly lastRow: number };

/**
 * Ways in which instances differ where the vendor's documentation is silent or speaks of a sister API only.
 * Each is a switch; `configure` may turn any of them while the instance serves.
 */
export interface Personality {
  /** What a page (with `$top`, or of `serverPage`) carries while rows remain. Default `relative`. */
  readonly nextLink: 'relative' | 'absolute' | 'none';
  /** Where the link stands in the body. Default `after` the rows. */
  readonly nextLinkPosition: 'after' | 'before';
  /**
   * Pages that the server makes by itself, also without `$top`: so many rows each, linked by `$skiptoken` (goes on after the last key) or by
   * `$skip` (goes on at a position, which rows written meanwhile shift). `$top` is then the standard's: rows in all. Default null: none.
   */
  readonly serverPage: { readonly rows: number; readonly link: 'skip' | 'skiptoken' } | null;
  /**
   * The link of an answer after which no row remains: absent, `null`, or an empty text; or a new address each time, whose page is empty
   * (`endless-empty`) or has the same rows again (`endless-same`) and carries such a link too. Default `absent`.
   */
  readonly lastLink: 'absent' | 'null' | 'empty' | 'endless-empty' | 'endless-same';
  /** Where each answer ends, without a link and without an error, although rows remain; counts tell the truth. Default null: nowhere. */
  readonly cut: Cut | null;
  /** How `uniqueidentifier` compares and sorts. Default `sql`; `text` shows a client what it must not assume. */
  readonly guidOrder: 'sql' | 'text';
  /**
   * Order of rows: by key; where no link follows any order the engine likes, the same each time (`any`); or another order for each
   * request, also where pages are linked (`random`); or by key but for a few rows that come last, as in a heap after updates (`heap`). Default
   * `key`.
   */
  readonly rowOrder: 'key' | 'any' | 'random' | 'heap';
  /** Are `ge` and `le` on key columns taken? Default true. */
  readonly keyFilter: boolean;
  /** Kinds of keys whose columns take no `ge` and `le`, with `requestErrorStatus`. Default none. */
  readonly keyFilterRefused: readonly KeyKind[];
  /** Is a condition on a key column applied, or taken and ignored? Default `applied`. */
  readonly keyFilterEffect: 'applied' | 'ignored';
  /** Is `$count` (the option and the `/$count` path) known? Where not, it is refused with `requestErrorStatus`. Default true. */
  readonly count: boolean;
  /**
   * What `$count` tells: all rows of the read; nothing, though the option is taken; the rows of the answer alone; or all rows, of reads
   * without `$filter` alone. Default `all`.
   */
  readonly counts: 'all' | 'ignored' | 'page' | 'unfiltered';
  /** Is a count in an answer a number or a text? Default `number`. */
  readonly countForm: 'number' | 'string';
  /** Names of control information: `@odata.count`, or `@count` as OData 4.01 has it. Default `@odata.`. */
  readonly controlPrefix: '@odata.' | '@';
  /** Is `$skip` known? Default false. */
  readonly skip: boolean;
  /** Is `$orderby` (on columns the model marks sortable, and on the key) known? Default false. */
  readonly orderby: boolean;
  /** Which references a filter path may follow. Default `all`. */
  readonly filterReferences: 'owners' | 'all';
  /** Are the documented default values of filters in force: when a read does not name the column, or has no filter at all? Default false. */
  readonly defaultFilters: boolean | 'unfiltered';
  /** Is a filter taken that names a column with a default value, or answered with this status? Default `taken`. */
  readonly defaultFilterQuestions: 'taken' | 400 | 500;
  /** `F eq null` within a group: refused; it matches nulls; or nothing, as SQL's `IN` has it. Default `refused`. */
  readonly groupNull: 'refused' | 'matches' | 'nothing';
  /** Table (or `*`) to the rows it gets at its end, in key order, before each request for it is answered. Default none. */
  readonly grows: Readonly<Record<string, number>>;
  /** Are times in date literals kept, or cut to the date? Default `kept`. */
  readonly dateLiterals: 'kept' | 'cut';
  /** Is `Dmv_Table_Info` readable, forbidden, empty, or true of the start only? Default `readable`. */
  readonly tableInfo: 'readable' | 'forbidden' | 'empty' | 'stale';
  /** Order of the properties of a row. Default `declared`. */
  readonly properties: 'declared' | 'shuffled';
  /** Are null properties written, left out, or left out of about half of the columns (chosen by name)? Default `written`. */
  readonly nulls: 'written' | 'omitted' | 'mixed';
  /** Extra properties in each row: `@odata.etag`, and one that `$metadata` does not know. Default none. */
  readonly extraProperties: readonly ('etag' | 'unknown')[];
  /** White space between tokens: none, line breaks and indents, or every kind of it before and after each. Default `compact`. */
  readonly json: 'compact' | 'pretty' | 'spaced';
  /**
   * How strings are escaped: what must be; in text all that can be (`\u0431`, `\/`); or that, and in dates, base64 and GUIDs every
   * character that is no letter or digit (`\/`, `\u002B`). Default `minimal`.
   */
  readonly escapes: 'minimal' | 'all' | 'everywhere';
  /** A byte order mark before every body of the Table API. Default false. */
  readonly bom: boolean;
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
  /** `private` leaves the Table API site out of the list; `two` lists a second one, `one-of-two` one before it that is dead. Default `listed`. */
  readonly tableApiSite: 'listed' | 'private' | 'not-working' | 'two' | 'one-of-two' | 'foreign';
  /** Is the error object flat, or below `error`? Default `flat`. */
  readonly errorShape: 'flat' | 'nested';
  /** Status of a request the server does not understand. Default 500, as the vendor's Domain API. */
  readonly requestErrorStatus: 400 | 500 | 501;
  /** Does `$metadata` mark password columns? Default true. */
  readonly passwordsMarked: boolean;
  /** Does a comment in `$metadata` differ with each request? Default false. */
  readonly metadataStamp: boolean;
  /** Entity sets with hostile names beside the real ones. Default false. */
  readonly hostileNames: boolean;
  /** Longest request target in bytes; longer ones get 414. Default 8190, as common web servers have it. */
  readonly maxUrlBytes: number;
  /** `loose`: the issuer ends in a slash, members without a value are null, and `expires_in` is text. Default `plain`. */
  readonly authorityAnswers: 'plain' | 'loose';
}

export const DEFAULT_PERSONALITY: Personality = {
  nextLink: 'relative',
  nextLinkPosition: 'after',
  serverPage: null,
  lastLink: 'absent',
  cut: null,
  guidOrder: 'sql',
  rowOrder: 'key',
  keyFilter: true,
  keyFilterRefused: [],
  keyFilterEffect: 'applied',
  count: true,
  counts: 'all',
  countForm: 'number',
  controlPrefix: '@odata.',
  skip: false,
  orderby: false,
  filterReferences: 'all',
  defaultFilters: false,
  defaultFilterQuestions: 'taken',
  groupNull: 'refused',
  grows: {},
  dateLiterals: 'kept',
  tableInfo: 'readable',
  properties: 'declared',
  nulls: 'written',
  extraProperties: [],
  json: 'compact',
  escapes: 'minimal',
  bom: false,
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
  metadataStamp: false,
  hostileNames: false,
  maxUrlBytes: 8190,
  authorityAnswers: 'plain',
};
