/** What a check found, as data. The codes are part of `verify --json`: scripts rely on them. */
import type { ErrorCode } from '../core/errors.ts';

export type FindingCode =
  | 'VAULT_EMPTY'
  | 'MANIFEST_UNREADABLE'
  | 'MANIFEST_CONTRADICTION'
  | 'MANIFEST_CHANGED'
  | 'CHAIN_BROKEN'
  | 'INDEX_UNREADABLE'
  | 'STRAY_OBJECT'
  | 'SIGNATURE'
  | 'SEQUENCE_MISSING'
  | 'SNAPSHOT_MISSING'
  | 'TOMBSTONE_UNREADABLE'
  | 'OUTCOME_MISSING'
  | 'OUTCOME_UNREADABLE'
  | 'OUTCOME_DIFFERS'
  | 'COMMIT_LACKS_PARTS'
  | 'PART_MISSING'
  | 'PART_SIZE'
  | 'PART_HASH'
  | 'PART_UNREADABLE'
  | 'PARQUET_UNREADABLE'
  | 'PARQUET_SCHEMA'
  | 'ROW_COUNT'
  | 'NULL_COUNT'
  | 'COLUMN_RANGE'
  | 'KEY_NULL'
  | 'KEY_RANGE'
  | 'KEY_DUPLICATE';

/** No damage. */
export type NoticeCode = 'COMMIT_UNFINISHED' | 'HINT_WRONG' | 'SNAPSHOT_RETIRED';

export interface Finding {
  readonly code: FindingCode | NoticeCode;
  /** Key of the object, or the table's name for findings about all of its parts. */
  readonly object: string;
  readonly message: string;
}

/** An object that could not be read, by a fault of the disk, a limit, or a right: it may be sound and may be damaged. */
export interface Unjudged {
  readonly code: ErrorCode;
  readonly object: string;
  readonly message: string;
}

export interface Findings {
  readonly list: Finding[];
  readonly notices: Finding[];
  readonly unjudged: Unjudged[];
  readonly checked: Record<'snapshots' | 'tombstones' | 'tables' | 'parts' | 'bytes' | 'rows', number>;
  add(code: FindingCode, object: string, message: string): void;
  notice(code: NoticeCode, object: string, message: string): void;
}

/** @param checked counts to go on with; the same object is counted up. */
export function collectFindings(checked: Findings['checked'] = nothingChecked()): Findings {
  const list: Finding[] = [];
  const notices: Finding[] = [];
  return {
    list,
    notices,
    unjudged: [],
    checked,
    add: (code, object, message) => list.push({ code, object, message }),
    notice: (code, object, message) => notices.push({ code, object, message }),
  };
}

const nothingChecked = () => ({ snapshots: 0, tombstones: 0, tables: 0, parts: 0, bytes: 0, rows: 0 });
