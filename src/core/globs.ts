/**
 * Names of tables and columns given as globs: the one rule, wherever globs are taken.
 *
 * A glob matches the whole name, and upper and lower case count. `*` is any text, `?` one character, `[ab]` one of these characters (`[a-c]` a
 * range, `[!ab]` any other), `{a,b}` one of these texts. A name matches itself, whatever characters it holds. A leading `!`, parentheses and
 * `+` have no meaning of their own. Several globs choose what any of them matches, in the order of the names. A glob that matches nothing is
 * an error that names near names.
 */
import { TablevaultError } from './errors.ts';
import { compileGlob, splitAtCommas } from './glob-match.ts';
import { nearNames } from './near-names.ts';

export function globMatcher(glob: string): (name: string) => boolean {
  if (glob === '') return () => false;
  const matches = compileGlob(glob);
  return (name) => name === glob || matches(name);
}

/** `Gen_*,Crm_{Customers,Orders}` as a list: commas inside braces belong to the glob. Empty entries are left out. */
export function splitGlobs(text: string): readonly string[] {
  return splitAtCommas(text)
    .map((glob) => glob.trim())
    .filter((glob) => glob !== '');
}

/** Globs of the list that match none of the names. */
export function idleGlobs(globs: readonly string[], names: readonly string[]): readonly string[] {
  return globs.filter((glob) => !names.some(globMatcher(glob)));
}

export interface GlobErrors {
  /** Begins the message: `no table of the pipeline`. */
  readonly none: string;
  /** Where the names can be looked up. */
  readonly hint: string;
}

/**
 * The tables whose names a glob of the list matches, in their own order.
 * @throws TablevaultError TABLE_UNKNOWN for the first glob that matches nothing; USAGE for a list without globs, which would choose nothing
 */
export function chooseByGlobs<T extends { readonly name: string }>(
  tables: readonly T[],
  globs: readonly string[],
  errors: GlobErrors,
): readonly T[] {
  if (!Array.isArray(globs) || globs.length === 0) {
    throw new TablevaultError('USAGE', 'no table is named', { hint: 'Give a list with at least one name or glob.' });
  }
  const names = tables.map(({ name }) => name);
  const [idle] = idleGlobs(globs, names);
  if (idle !== undefined) throw unknownTable(`${errors.none} matches "${idle}"`, idle, names, errors.hint);
  const matchers = globs.map(globMatcher);
  return tables.filter(({ name }) => matchers.some((matches) => matches(name)));
}

/** The error for a table that is not there; near names stand in its message. */
export function unknownTable(message: string, wanted: string, names: readonly string[], hint: string): TablevaultError {
  const near = nearNames(wanted, names);
  const nearby = near.length === 0 ? '' : `; near names: ${near.join(', ')}`;
  return new TablevaultError('TABLE_UNKNOWN', `${message}${nearby}`, { hint });
}
