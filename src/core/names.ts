/**
 * Which names a server may give to tables and columns.
 *
 * A table's name becomes a folder, a file, a part of a URL and a SQL identifier, so a name that is harmless in one of them may be
 * hostile in another. OData's own rule (CSDL 4.01, "SimpleIdentifier") is narrow enough to be safe nearly everywhere; what is left
 * are the device names of Windows and lengths that file systems refuse.
 */

/** Longest name that OData allows, in characters. */
const MAX_CHARACTERS = 128;
/** File names end at 255 bytes; what we append to a name needs the rest. */
const MAX_BYTES = 200;

const IDENTIFIER = /^[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{Nd}\p{Mn}\p{Mc}\p{Pc}]*$/u;
const DEVICE = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)$/iu;

/** Why `name` cannot be used as a table's name, as the end of a sentence ("it …"); undefined when it can. */
export function tableNameProblem(name: string): string | undefined {
  const problem = columnNameProblem(name);
  if (problem !== undefined) return problem;
  if (DEVICE.test(name)) return 'is the name of a device on Windows, where no file can have that name';
  if (Buffer.byteLength(name) > MAX_BYTES) return `is longer than ${MAX_BYTES} bytes, more than file systems allow`;
  return undefined;
}

/** Why `name` cannot be used as a column's name; undefined when it can. */
export function columnNameProblem(name: string): string | undefined {
  if (name === '') return 'is empty';
  if (name.length > MAX_CHARACTERS) return `has ${name.length} characters, more than the ${MAX_CHARACTERS} of OData`;
  if (name === '__proto__') return 'is reserved';
  if (!IDENTIFIER.test(name)) return 'holds characters that no OData name may hold';
  if (name.normalize('NFC') !== name) return 'is not in Unicode normal form C, so that it may look like another name';
  return undefined;
}

/** The first name of `others` that is not `name` but differs from it by case alone: one file or column on many systems. */
export function caseTwin(name: string, others: Iterable<string>): string | undefined {
  const folded = name.toLowerCase();
  for (const other of others) if (other !== name && other.toLowerCase() === folded) return other;
  return undefined;
}

/** A name from outside for use in a message: control characters made visible, cut at 80 characters. */
export function printableName(name: string): string {
  const visible = name.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${c.codePointAt(0)?.toString(16)}}`);
  return visible.length > 80 ? `${visible.slice(0, 77)}…` : visible;
}
