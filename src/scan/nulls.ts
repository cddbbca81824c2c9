/** Does a server write properties that are null, or leave them out? Read from rows; pure. */

export type NullHabit = 'written' | 'omitted' | 'unknown';

/**
 * What rows tell of one response's habit. `omitted` is proven by a nullable property that some rows have and others have not, and that is
 * null in none: such a server leaves out its nulls, whatever it does with those of other properties. A property that all rows lack proves
 * nothing, since the identity may not be allowed to see it.
 *
 * @param nullable properties that were asked for and may be null
 * @param required properties that were asked for and may not be null: a row that lacks one proves that more than nulls is left out
 */
export function nullHabitOf(
  rows: readonly Readonly<Record<string, unknown>>[],
  nullable: readonly string[],
  required: readonly string[],
): NullHabit {
  if (rows.some((row) => required.some((name) => !(name in row)))) return 'unknown';
  const present = (name: string) => rows.filter((row) => name in row);
  const some = nullable.some((name) => {
    const having = present(name);
    return having.length > 0 && having.length < rows.length && having.every((row) => row[name] !== null);
  });
  if (some) return 'omitted';
  return rows.some((row) => [...nullable, ...required].some((name) => row[name] === null)) ? 'written' : 'unknown';
}
