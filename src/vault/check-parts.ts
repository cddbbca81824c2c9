/** Checks the parts of a table: each is there, with the bytes of the manifest. */
import { join } from 'node:path';
import { asTablevaultError, type TablevaultError } from '../core/errors.ts';
import type { CallOptions } from '../storage/store.ts';
import type { PartEntry, TableEntry } from './chain/manifest.ts';
import { type KnownPart, readPart } from './copy-part.ts';
import type { FindingCode, Findings } from './findings.ts';
import { VAULT_KEY } from './layout.ts';
import { partFault } from './stored-parts.ts';
import type { Vault } from './vault.ts';

/** A part whose bytes are those of the manifest, as a local file. */
export interface PartFile {
  readonly part: PartEntry;
  readonly path: string;
  /** Made for this check; whoever asked for it removes it. */
  readonly temporary: boolean;
}

export interface VerifyPartsOptions extends CallOptions {
  /** Where to copy parts that have no local file; undefined when no files are needed. */
  readonly copyTo: string | undefined;
}

/** Existence, size and hash of a table's parts. Returns the good ones. */
export async function verifyParts(
  vault: Vault,
  table: TableEntry,
  findings: Findings,
  options: VerifyPartsOptions,
): Promise<PartFile[]> {
  const good: PartFile[] = [];
  for (const part of table.parts) {
    options.signal?.throwIfAborted();
    findings.checked.parts += 1;
    const path = await verifyPart(vault, part, findings, options);
    if (path !== undefined) good.push({ part, ...path });
  }
  return good;
}

async function verifyPart(vault: Vault, part: PartEntry, findings: Findings, options: VerifyPartsOptions) {
  const verdict = await judgePart(vault, part, options);
  findings.checked.bytes += verdict.bytes;
  switch (verdict.kind) {
    case 'sound':
      return { path: verdict.path ?? '', temporary: verdict.temporary };
    case 'damaged':
      findings.add(verdict.code, part.key, verdict.message);
      return undefined;
    case 'unjudged':
      findings.unjudged.push({ code: verdict.fault.code, object: part.key, message: verdict.fault.message });
      return undefined;
  }
}

/** What a look at a part shows. `bytes` were read for it. */
export type PartVerdict = { readonly bytes: number } & (
  | { readonly kind: 'sound'; readonly path: string | undefined; readonly temporary: boolean }
  | { readonly kind: 'damaged'; readonly code: PartFindingCode; readonly message: string }
  /** The part could not be read, and the rest of the store could: that says nothing about its bytes. */
  | { readonly kind: 'unjudged'; readonly fault: TablevaultError }
);

type PartFindingCode = Extract<FindingCode, 'PART_MISSING' | 'PART_SIZE' | 'PART_HASH' | 'PART_UNREADABLE'>;

/**
 * Reads a part to its end and compares it with the manifest. Only bytes that differ, or that do not exist, are damage: a disk, a limit or a
 * right that keeps this machine from reading them is not.
 * @throws TablevaultError when the store or the temporary folder cannot be used at all; the signal's reason
 */
export async function judgePart(vault: Vault, part: KnownPart, options: VerifyPartsOptions): Promise<PartVerdict> {
  const { store } = vault;
  const damaged = (code: PartFindingCode, message: string, bytes = 0): PartVerdict => {
    return { kind: 'damaged', code, message, bytes };
  };
  try {
    const unstored = partFault(part, await store.head(part.key, options));
    if (unstored !== undefined) return damaged(unstored.code, unstored.message);
    const local = store.localPath?.(part.key);
    const { copyTo } = options;
    const copy = local === undefined && copyTo !== undefined ? join(copyTo, `${part.sha256}.parquet`) : undefined;
    const { same, bytes } = await readPart(store, part, { to: copy, signal: options.signal });
    if (!same) return damaged('PART_HASH', 'its SHA-256 differs from the manifest', bytes);
    return { kind: 'sound', path: local ?? copy, temporary: local === undefined, bytes };
  } catch (error) {
    const fault = asTablevaultError(error);
    if (fault.code === 'OBJECT_MISSING') return damaged('PART_MISSING', 'the part does not exist');
    if (fault.code === 'VAULT_CORRUPT') return damaged('PART_UNREADABLE', fault.message);
    if (!fault.code.startsWith('DESTINATION_') || fault.at['store'] !== store.uri) throw error;
    // One object, or the whole store? The second is asked once more, and throws by itself.
    await store.head(VAULT_KEY, options);
    return { kind: 'unjudged', fault, bytes: 0 };
  }
}
