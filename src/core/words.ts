/** Numbers with their nouns, as messages say them. Pure; always in English, so that scripts and people see the same. */

/** A whole number with separators: `1,234,567`. */
export function count(value: number | bigint): string {
  return String(value).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 table`, `40 tables`. */
export function plural(value: number | bigint, noun: string): string {
  return `${count(value)} ${noun}${Number(value) === 1 ? '' : 's'}`;
}

/** `1 of 1 table`, `3 of 40 tables`: the noun goes with the whole. */
export function shareOf(part: number, whole: number, noun: string): string {
  return `${count(part)} of ${plural(whole, noun)}`;
}

/** The text with a full stop, where it ends with no other mark. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  return /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}
