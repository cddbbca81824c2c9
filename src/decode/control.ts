/**
 * What the members around the rows of a response mean, and what tells of an error: one answer for the decoder and for small reads.
 *
 * Names are those of OData JSON 4.0 (`@odata.count`) and 4.01 (`@count`). A vendor's error is `{"error":{…}}` or flat:
 * `{"message":…,"code":…,"type":…,"info":…}`.
 * @see OData JSON Format 4.01, sections 4.6 (control information) and 21 (errors)
 */

/** Members of a vendor's error, flat. */
const ERROR_MEMBERS: ReadonlySet<string> = new Set([
  'error',
  'message',
  'code',
  'type',
  'info',
  'messageFormat',
  'parameters',
]);
/** Annotations that tell of an error, in whatever object they stand. */
const ERROR_ANNOTATIONS: ReadonlySet<string> = new Set(['@odata.error', '@error']);
/** So many members of an error that nobody asked for, `message` among them, are an error also in a row that has begun. */
const SURELY_AN_ERROR = 3;

/** What a member of a response's outermost object is, by its name. */
export type MemberMeaning = 'rows' | 'nextLink' | 'count' | 'error' | 'other';

export function meaningOf(name: string): MemberMeaning {
  switch (name) {
    case 'value':
      return 'rows';
    case '@odata.nextLink':
    case '@nextLink':
      return 'nextLink';
    case '@odata.count':
    case '@count':
      return 'count';
    default:
      return isErrorName(name) ? 'error' : 'other';
  }
}

/** May a member of this name be part of an error? */
export function isErrorName(name: string): boolean {
  return ERROR_MEMBERS.has(name) || ERROR_ANNOTATIONS.has(name);
}

/** Collects what a response says besides its rows; the members may come in any order. */
export class Control {
  /** As sent: may be relative; the caller checks its origin. */
  nextLink: string | null = null;
  /** Rows of the whole result, where asked for and given. */
  count: number | null = null;
  /** Members that tell of an error, once there is one. Nothing of the response may be used then. */
  error: Record<string, unknown> | undefined;

  /** Takes in a member other than the rows. What is wrong with it, or undefined. */
  take(name: string, value: unknown): string | undefined {
    switch (meaningOf(name)) {
      case 'nextLink':
        return this.takeLink(value);
      case 'count':
        return this.takeCount(value);
      case 'error':
        this.error = { ...this.error, [name]: value };
        return undefined;
      default:
        return undefined;
    }
  }

  /** A link that is null or empty is no link. */
  private takeLink(value: unknown): string | undefined {
    if (value === null || value === '') return undefined;
    if (typeof value !== 'string') return 'a next link that is no text';
    if (this.nextLink !== null && this.nextLink !== value) return 'a second next link';
    this.nextLink = value;
    return undefined;
  }

  /** A number, or under `IEEE754Compatible=true` its digits as a string. */
  private takeCount(value: unknown): string | undefined {
    if (value === null) return undefined;
    const count = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
    if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0)
      return 'a count that is no whole number';
    if (this.count !== null && this.count !== count) return 'a second count';
    this.count = count;
    return undefined;
  }
}

/**
 * Does an element of `value` tell of an error, and is no row?
 *
 * A column that was asked for is never part of an error: `message`, `code` and `type` are plain names of columns too. So an element is an
 * error when it has an error's members that are no columns (`error`, `message`, or two others), and no column besides that an error does not
 * have as well. An error that was written into a row already begun is one too: `error` as an object, or a message with two further members
 * that nobody asked for where a column is missing.
 *
 * @param isColumn says of a name whether a column of that name was asked for
 * @param whole are all columns that were asked for there?
 */
export function tellsOfError(
  element: Readonly<Record<string, unknown>>,
  isColumn: (name: string) => boolean,
  whole: boolean,
): boolean {
  let members = 0;
  let strange = 0;
  let ownColumns = false;
  for (const name of Object.keys(element)) {
    if (isColumn(name)) {
      if (ERROR_MEMBERS.has(name)) members++;
      else ownColumns = true;
      continue;
    }
    if (ERROR_ANNOTATIONS.has(name)) return true;
    if (!ERROR_MEMBERS.has(name)) continue;
    members++;
    strange++;
    if (name === 'error' && isErrorObject(element[name])) return true;
  }
  if (strange === 0) return false;
  const has = (name: string) => Object.hasOwn(element, name);
  const hasStrange = (name: string) => has(name) && !isColumn(name);
  if (ownColumns) return !whole && hasStrange('message') && strange >= SURELY_AN_ERROR;
  return hasStrange('error') || hasStrange('message') || strange > 1 || (has('message') && members > 1);
}

function isErrorObject(value: unknown): boolean {
  return isObject(value) && ('message' in value || 'code' in value);
}

/** The message of an error, whatever its form, without the full stop that a sentence around it has: the innermost text that there is. */
export function errorMessage(error: unknown): string {
  if (!isObject(error)) return String(error).trim().replace(/\.$/, '');
  for (const name of ['error', '@odata.error', '@error', 'message', 'value', 'code', 'type']) {
    const inner = error[name];
    if (typeof inner === 'string' && inner !== '') return errorMessage(inner);
    if (typeof inner === 'number') return `${name} ${inner}`;
    if (isObject(inner)) return errorMessage(inner);
  }
  return 'it says no more';
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
