/** The hash of what a `$metadata` means. */
import { sha256Hex } from '../core/digest.ts';
import { canonicalJson } from '../core/json.ts';
import type { Model } from './metadata.ts';

/**
 * SHA-256, hexadecimal, of the tables: columns with their types, keys, references, and what is not read. Two documents that say the same
 * have the same hash, however they are written: comments, white space, and the order of attributes and declarations mean nothing in CSDL. Only
 * the columns of a key are in an order.
 */
export function modelSha256({ tables }: Model): string {
  const meaning = tables.map(({ name, columns, key, navigations, notRead = [] }) => ({
    name,
    columns: columns.toSorted(byName),
    key,
    navigations: navigations.toSorted(byName),
    notRead: notRead.toSorted(),
  }));
  return sha256Hex(canonicalJson(meaning.toSorted(byName)));
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
