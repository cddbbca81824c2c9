/** Rows that came of a table against the rows that `Dmv_Table_Info` tells of it. Pure. */
import { count, plural } from '../core/words.ts';

/** Rows by `Dmv_Table_Info`; undefined where it cannot be read, or does not hold the table. */
export interface ToldRows {
  readonly before: number | undefined;
  readonly after: number | undefined;
}

/**
 * What to say where fewer rows came than the instance tells of, before and after the read; undefined otherwise. Who counts by `$count` asks
 * with the rights of the identity, and so never learns of rows that are hidden from it; `Dmv_Table_Info` counts them too.
 */
export function fewerThanTold(rows: number, { before, after }: ToldRows): string | undefined {
  const least = Math.min(before ?? after ?? 0, after ?? before ?? 0);
  if (rows >= least) return undefined;
  return `${plural(rows, 'row')} came, but Dmv_Table_Info counts ${count(least)}: the identity may not be allowed to see all rows, or Dmv_Table_Info is out of date`;
}
