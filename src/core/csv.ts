/** A field of CSV (RFC 4180): quoted where it must be, and where it is empty, so that empty text differs from null, an empty field. */
export function csvField(text: string): string {
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
