/** Checks the parts of a table: each is there, with the bytes of the manifest. */
import { join } from 'node:path';
import { asTablevaultError } from '../core/errors.ts';
import type { CallOptions } from '../storage/store.ts';
import type { PartEntry, TableEntry } from './chain/manifest.ts';
import { readPart } from './copy-part.ts';
import type { Findings } from './findings.ts';
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
  const { store } = vault;
  const stored = await store.head(part.key, options);
  if (stored === undefined) {
    findings.add('PART_MISSING', part.key, 'the part does not exist');
    return undefined;
  }
  if (stored.bytes !== part.bytes) {
    findings.add('PART_SIZE', part.key, `it has ${stored.bytes} bytes, the manifest says ${part.bytes}`);
    return undefined;
  }
  const local = store.localPath?.(part.key);
  const copy =
    local === undefined && options.copyTo !== undefined ? join(options.copyTo, `${part.sha256}.parquet`) : undefined;
  try {
    const { same, bytes } = await readPart(store, part, { to: copy, signal: options.signal });
    findings.checked.bytes += bytes;
    if (!same) {
      findings.add('PART_HASH', part.key, 'its SHA-256 differs from the manifest');
      return undefined;
    }
  } catch (error) {
    const fault = asTablevaultError(error);
    const damage = fault.code === 'VAULT_CORRUPT' || fault.code === 'OBJECT_MISSING';
    // A sector that cannot be read is damage to this part; a store that cannot be reached is no finding.
    if (!damage && !(local !== undefined && fault.code === 'DESTINATION_UNREACHABLE')) throw error;
    findings.add('PART_UNREADABLE', part.key, fault.message);
    return undefined;
  }
  return { path: local ?? copy ?? '', temporary: local === undefined };
}
