/** What an identity may see: whatever it may not see is left out without an error, as the real system does. */
/** What every identity is kept from, without a word. */
export interface Rights {
  /** Rows of one read (a whole chain of pages) at most, e.g. 2,000; null is unlimited. */
  readonly maxRows: number | null;
  /** Table to columns that do not come out. */
  readonly hiddenColumns: Readonly<Record<string, readonly string[]>>;
  /** How they do not: the property is absent, or null. Default `absent`. */
  readonly hiddenColumnsAs: 'absent' | 'null';
  /** Table (or `*`) to the share of rows, 0 to 1, that are not seen. */
  readonly hiddenRows: Readonly<Record<string, number>>;
  /** Tables whose reads answer 403. */
  readonly forbiddenTables: readonly string[];
}

export const DEFAULT_RIGHTS: Rights = {
  maxRows: null,
  hiddenColumns: {},
  hiddenColumnsAs: 'absent',
  hiddenRows: {},
  forbiddenTables: [],
};

/** Rights of the instance narrowed by those of one application. */
export function mergeRights(all: Rights, own: Partial<Rights> | undefined): Rights {
  if (own === undefined) return all;
  return {
    ...all,
    ...own,
    maxRows: own.maxRows ?? all.maxRows,
    hiddenColumns: { ...all.hiddenColumns, ...own.hiddenColumns },
    hiddenRows: { ...all.hiddenRows, ...own.hiddenRows },
    forbiddenTables: [...all.forbiddenTables, ...(own.forbiddenTables ?? [])],
  };
}
