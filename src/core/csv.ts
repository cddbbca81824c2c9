/** CSV (RFC 4180) that keeps null and empty text apart. */

/**
 * How null is written: as an empty field. In a file of one column that would be an empty line, which readers skip, so there it is the word
 * `NULL` without quotes.
 */
export function csvNull(columns: number): string {
  return columns === 1 ? 'NULL' : '';
}

/** A field: quoted where it must be, and where it is empty or would read as null. @param nullText what `csvNull` gives for the file */
export function csvField(text: string, nullText = ''): string {
  return text === '' || text === nullText || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
