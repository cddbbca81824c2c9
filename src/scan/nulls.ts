/** Does a server write properties that are null, or leave them out? Read from rows; pure. */

export type NullHabit = 'written' | 'omitted' | 'unknown';

/**
 * What rows tell of one response's habit. `omitted` is proven by a nullable property that some rows have and others have not, while no
 * property of any row is null; a property that all rows lack proves nothing, since the identity may not be allowed to see it.
 *
 * @param nullable properties that were asked for and may be null
 * @param required properties that were asked for and may not be null: a row that lacks one proves that more than nulls is left out
 */
export function nullHabitOf(
  rows: readonly Readonly<Record<string, unknown>>[],
  nullable: readonly string[],
  required: readonly string[],
): NullHabit {
  if (rows.some((row) => [...nullable, ...required].some((name) => row[name] === null))) return 'written';
  if (rows.some((row) => required.some((name) => !(name in row)))) return 'unknown';
  const some = nullable.some((name) => rows.some((row) => name in row) && rows.some((row) => !(name in row)));
  return some ? 'omitted' : 'unknown';
}
