/** Looks whether parts are stored, by their sizes alone: what can be afforded before every commit. */
import pLimit from 'p-limit';
import type { CallOptions, ObjectFacts } from '../storage/store.ts';
import type { KnownPart } from './copy-part.ts';
import type { FindingCode } from './findings.ts';
import { partPrefix } from './layout.ts';
import type { Vault } from './vault.ts';

/** Requests at once. */
const READERS = 8;

/** Why a part is not what its manifest says, as far as its size tells. */
export interface PartFault {
  readonly code: Extract<FindingCode, 'PART_MISSING' | 'PART_SIZE'>;
  readonly message: string;
}

/** A part that is missing, or has another size. */
export interface UnstoredPart extends PartFault {
  readonly key: string;
}

/** Holds what the store says of a part against the manifest; undefined where they agree. */
export function partFault(part: KnownPart, stored: Pick<ObjectFacts, 'bytes'> | undefined): PartFault | undefined {
  if (stored === undefined) return { code: 'PART_MISSING', message: 'the part does not exist' };
  if (stored.bytes === part.bytes) return undefined;
  return { code: 'PART_SIZE', message: `it has ${stored.bytes} bytes, the manifest says ${part.bytes}` };
}

/**
 * The parts of tables that are missing or have another size, in the order of the tables. It asks once for each table and run that wrote parts of it
 * (and once more for each further thousand parts).
 */
export async function findUnstoredParts(
  vault: Vault,
  tables: readonly { readonly parts: readonly KnownPart[] }[],
  call: CallOptions = {},
): Promise<readonly UnstoredPart[]> {
  const fewAtOnce = pLimit(READERS);
  const groups = groupsOf(tables.flatMap(({ parts }) => parts));
  const found = await Promise.all(
    groups.map(({ prefix, parts }) => fewAtOnce(() => unstoredOf(vault, prefix, parts, call))),
  );
  return found.flat();
}

interface Group {
  /** Keys of its parts begin with it; undefined for a part with a foreign key. */
  readonly prefix: string | undefined;
  readonly parts: KnownPart[];
}

function groupsOf(parts: readonly KnownPart[]): readonly Group[] {
  const foreign: Group[] = [];
  const byPrefix = new Map<string, Group>();
  for (const part of parts) {
    const prefix = partPrefix(part.key);
    const known = prefix === undefined ? undefined : byPrefix.get(prefix);
    if (prefix === undefined) foreign.push({ prefix, parts: [part] });
    else if (known === undefined) byPrefix.set(prefix, { prefix, parts: [part] });
    else known.parts.push(part);
  }
  return [...byPrefix.values(), ...foreign];
}

async function unstoredOf(
  { store }: Vault,
  prefix: string | undefined,
  parts: readonly KnownPart[],
  call: CallOptions,
): Promise<readonly UnstoredPart[]> {
  const suspects = new Map(parts.map((part) => [part.key, part]));
  // Of a single part, one request tells as much as a listing, and costs less.
  if (prefix !== undefined && parts.length > 1) {
    for await (const { key, bytes } of store.list(prefix, call)) {
      const part = suspects.get(key);
      if (part !== undefined && partFault(part, { bytes }) === undefined) suspects.delete(key);
    }
  }
  // A listing may overlook an object: what it lacks is asked for by name.
  const unstored: UnstoredPart[] = [];
  for (const part of suspects.values()) {
    const fault = partFault(part, await store.head(part.key, call));
    if (fault !== undefined) unstored.push({ key: part.key, ...fault });
  }
  return unstored;
}

/** The first of them, and how many more there are; for messages. */
export function tellUnstored([first, ...others]: readonly UnstoredPart[]): string {
  if (first === undefined) return '';
  return `${first.key}: ${first.message}${others.length === 0 ? '' : ` (and ${others.length} more like it)`}`;
}
