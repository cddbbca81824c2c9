/** How the memory of a run is shared among its writers. */

/** Bytes of a row group as DuckDB holds it before encoding, about, at most; encoding takes nearly as much again. */
export const MOST_GROUP_BYTES = 48 * 1024 * 1024;
/** What a writer holds, in row groups: one before encoding, what that makes of it, and the batches on their way. */
const GROUPS_HELD = 3.5;

/** Bytes of values that each of so many writers may hold in a row group, where all together may take `memoryMb`. */
export function groupBytesOf(memoryMb: number, writers: number): number {
  return Math.min(MOST_GROUP_BYTES, Math.floor((memoryMb * 1024 * 1024) / (writers * GROUPS_HELD)));
}
