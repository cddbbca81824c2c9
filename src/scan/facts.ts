/** What is known of a scan: what its answers brought, what further questions told, and what can be asked or said next. */
import type { Key, KeyOrder } from '../core/key-order.ts';
import type { Held, Span } from './held.ts';
import type { ScanKey } from './key.ts';
import type { KeyRange } from './ranges.ts';

/** Keys from one on: how many came, and the first that comes after the greatest of the rows. */
export interface Beyond {
  readonly rows: number;
  /** Did the greatest key itself come, which lies before what was asked for? */
  readonly greatest: boolean;
  readonly after: Key | null;
}

/** What the keys of a span, read alone and in parts, tell of its rows. */
export interface SpanKeys {
  /** Keys that came; null where they may have been cut as the rows were. */
  readonly keys: number | null;
  /** A key that did not come with its row, nor where it should when its rows are asked for again. */
  readonly lost: Key | null;
  /** Are they others than those of the rows, where it is not known which, or could they not be read in parts? */
  readonly differ: boolean;
}

/** Answers to the questions asked besides the rows; undefined where not asked, null where the question stayed without an answer. */
export interface Checks {
  /** Keys after the greatest, by each order that the rows kept to: what came of `keysAfter`, one after the other. */
  readonly beyond?: Readonly<Partial<Record<KeyOrder, readonly (Beyond | null)[]>>>;
  /** All keys from the last on, the last among them: how many came, and the first other one. For types that have no next key. */
  readonly last?: { readonly rows: number; readonly next: Key | null };
  /** Keys between two that came against an order: some came where the server filters by that order. */
  readonly between?: Readonly<Partial<Record<KeyOrder, number>>>;
  /** Keys of the span that was asked for last, and of the first answer with all of its rows. */
  readonly span?: SpanKeys;
  readonly first?: SpanKeys;
  /** All keys. */
  readonly whole?: { readonly rows: number; readonly sum: number };
  /** Did the last of the known keys come again? */
  readonly again?: { readonly found: boolean };
  /** Keys far after the greatest: how many came since the last answer with rows. */
  readonly further?: { readonly from: Key; readonly rows: number };
  /** The count of the range, asked for by itself. */
  readonly count?: number | null;
  /** The count of the range after the read. */
  readonly recount?: number | null;
  /** Keys of a range with their sum, and those of its halves taken together, null where these tell nothing. */
  readonly split?: { readonly whole: number; readonly sum: number; readonly halves: number | null } | undefined;
  /** Did keys that came come again, a few of them by themselves? Null where that cannot be asked. */
  readonly known?: boolean | null;
}

export interface ScanFacts {
  readonly range: KeyRange;
  /** Null where nothing can be asked by key: then only counts can tell. */
  readonly key: ScanKey | null;
  /** The first answer was asked for the whole range, each later one for `ge <greatest so far>`. */
  readonly held: Held;
  readonly checks: Checks;
  /** A key from which on nothing was found, and how often that was asked, each time after an answer with rows. */
  readonly nothingFrom: { readonly key: Key; readonly times: number } | null;
  /** Was it seen that this instance counts the rows of a table, and not merely those of an answer? */
  readonly countsTables: boolean;
  /** Was the instance asked to count? */
  readonly countAsked: boolean;
  /** What the instance counted of the range before the read, where the plan or an earlier try asked. */
  readonly counted: number | null;
  /** Rows of the range by another witness than the instance's count: what it tells of all tables, or an earlier snapshot. Null where there is none. */
  readonly witness: number | null;
  /** Rows of the range that are known to have been there in this run: from an earlier try, or a probe. */
  readonly seen: number;
  /** Did a count say more than came when the table was read in another way? Then only a count can settle it. */
  readonly mustCount: boolean;
}

/** How the end of a scan was proven; `count` and `none` are no proofs by key. */
export type Proof = 'boundary' | 'closing-read' | 'empty' | 'split' | 'count' | 'none';

export type Step =
  /** Read rows of `range`; the row with the key `exclude` came before. */
  | { readonly do: 'read'; readonly range: KeyRange; readonly exclude: Key | null }
  /** Ask for the keys of `range`, after the greatest by `order`: there should be none. */
  | { readonly do: 'beyond'; readonly range: KeyRange; readonly order: KeyOrder; readonly greatest: Key }
  /** Ask for the keys of `range`, which begins with the last key: there should be no other. */
  | { readonly do: 'last'; readonly range: KeyRange; readonly last: Key }
  /** Ask for the keys of `range`, between two that came against `order`: there should be none. */
  | { readonly do: 'between'; readonly range: KeyRange; readonly order: KeyOrder }
  /** Ask for the keys of a span, in parts: they should be those of its rows, or have been added since. */
  | { readonly do: 'span' | 'first'; readonly span: Span; readonly orders: readonly KeyOrder[] }
  /** Ask for all keys: they should be those that came. */
  | { readonly do: 'whole' }
  /** Ask for the keys of `range`, which came before: `holds`, the last of them, should come again. */
  | { readonly do: 'again'; readonly range: KeyRange; readonly holds: Key }
  /** Ask for the keys from `from` on: is anything there by now? */
  | { readonly do: 'further'; readonly from: Key }
  /** Ask for a few of the keys that came, by themselves: all of them should come again. */
  | { readonly do: 'known' }
  /** Ask the instance to count the range, by itself. */
  | { readonly do: 'count' }
  /** Ask the instance to count the range once more. */
  | { readonly do: 'recount' }
  | { readonly do: 'proven'; readonly by: Proof; readonly why: string | null }
  /** The rows came in no order that is known, so that no key can be called the greatest: another proof is needed. */
  | { readonly do: 'split'; readonly why: string }
  /** Answers that contradict each other, with too many rows where it says `twice`: the read must be done again, or given up. */
  | {
      readonly do: 'refuse';
      readonly why: string;
      readonly twice?: true;
      /** Rows that were counted by now: the next try has to bring them. */
      readonly counted?: number;
      /** Another try would end in the same way. */
      readonly hopeless?: true;
    }
  /** The server does not compare keys as was thought: rows of this range may be missing. */
  | { readonly do: 'disproved'; readonly why: string };

/** Whatever is asked besides the rows of the table. */
export type Question = Exclude<Step, { readonly do: 'read' | 'proven' | 'refuse' | 'disproved' }>;

/** What there is to say of pages that were linked by a number of rows. */
export const SKIPPED = 'its pages were linked by $skip, which leaves out rows when others are deleted meanwhile';
