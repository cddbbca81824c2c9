/** The service document, and what it and `$metadata` say differently. */
import * as z from 'zod';
import { TablevaultError } from '../core/errors.ts';
import { printableName } from '../core/names.ts';
import type { Model } from './metadata.ts';

/** @see OData JSON Format 4.01, section 5; `kind` is "EntitySet" where it is left out. */
const documentSchema = z.object({
  value: z.array(z.object({ name: z.string(), kind: z.string().optional(), url: z.string().optional() })),
});

export interface ServiceEntry {
  readonly name: string;
  /** Relative to the service root; the name where the document gives none. */
  readonly url: string;
}

/**
 * Entity sets of a service document; functions and singletons are no tables.
 * @throws INSTANCE_ANSWER when it is not one
 */
export function parseServiceDocument(text: string): readonly ServiceEntry[] {
  const parsed = documentSchema.safeParse(jsonOf(text));
  if (!parsed.success) {
    throw new TablevaultError(
      'INSTANCE_ANSWER',
      'the service document of the Table API is not an OData service document',
      {
        hint: 'Check that endpoints.tableApi (or what discovery found) is the Table API; `tablevault doctor` shows the address.',
      },
    );
  }
  return parsed.data.value
    .filter(({ kind }) => kind === undefined || kind === 'EntitySet')
    .map(({ name, url }) => ({ name, url: url ?? name }));
}

/**
 * Warnings on tables that only one of the two names. A table of `$metadata` alone stays readable (a right may hide it from the list); one
 * of the service document alone has no types and cannot be read.
 */
export function crossCheck(model: Model, entries: readonly ServiceEntry[]): readonly string[] {
  const typed = new Set(model.tables.map(({ name }) => name));
  const listed = new Set(entries.map(({ name }) => name));
  const untyped = [...listed].filter((name) => !typed.has(name));
  const unlisted = [...typed].filter((name) => !listed.has(name));
  const moved = entries.filter(({ name, url }) => typed.has(name) && decoded(url) !== name);
  return [
    ...about(untyped, 'is in the service document but not in $metadata: it cannot be read'),
    ...about(unlisted, 'is in $metadata but not in the service document: reading it may be refused'),
    ...moved.map(
      ({ name }) => `${printableName(name)}: the service document gives it another address, which is not used`,
    ),
  ];
}

function about(names: readonly string[], what: string): readonly string[] {
  if (names.length <= 5) return names.map((name) => `${printableName(name)} ${what}`);
  const shown = names.slice(0, 5).map(printableName).join(', ');
  return [`${names.length} tables, such as ${shown}: each ${what}`];
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function decoded(url: string): string {
  try {
    return decodeURIComponent(url);
  } catch {
    return url;
  }
}
