/** Moves a damaged part out of the way, and nothing else: what is sound or cannot be judged stays where it is. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { digestStream } from '../core/digest.ts';
import { hasCode, TablevaultError } from '../core/errors.ts';
import type { CallOptions } from '../storage/store.ts';
import { judgePart } from './check-parts.ts';
import { digestInto, type KnownPart } from './copy-part.ts';
import { quarantineKey } from './layout.ts';
import type { Vault } from './vault.ts';

export type Moved = { readonly kind: 'moved'; readonly to: string } | ({ readonly kind: 'left' } & Left);

/** Why a part was not moved. `unclear`: it can neither be called sound nor be moved. */
export interface Left {
  readonly state: 'sound' | 'missing' | 'unclear';
  /** Ends the sentence "it was left: …". */
  readonly why: string;
}

interface Digest {
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Copies a damaged part below `quarantine/`, reads the copy back, looks once more whether the part still has the damaged bytes, and only then
 * removes it. In flat memory, whatever the size.
 * @param folder takes the bytes on their way
 * @throws TablevaultError VAULT_CORRUPT when the store does not keep the copy; DESTINATION_* when it cannot be written. Nothing is removed then.
 */
export async function moveAside(vault: Vault, part: KnownPart, folder: string, call: CallOptions): Promise<Moved> {
  const { store } = vault;
  const left = await whyLeft(vault, part, call);
  if (left !== undefined) return { kind: 'left', ...left };
  const file = join(folder, 'part');
  try {
    const found = await digestInto(file, store.stream(part.key, call));
    if (isSame(found, part)) return { kind: 'left', ...SOUND };
    const to = quarantineKey(part.key, found.sha256);
    try {
      await store.putNewFile(to, file, { ...found, signal: call.signal });
    } catch (error) {
      if (!hasCode(error, 'OBJECT_EXISTS')) throw error;
    }
    // Whatever the store answered: the original goes only when the copy can be read.
    await requireCopy(vault, to, found, call);
    if (!isSame(await digestStream(store.stream(part.key, call)), found)) {
      return { kind: 'left', state: 'unclear', why: `it changed while it was copied to ${to}` };
    }
    await store.remove(part.key, call);
    return { kind: 'moved', to };
  } catch (error) {
    if (!(error instanceof TablevaultError) || error.at['object'] !== part.key) throw error;
    // Another repair was faster, or this one part cannot be read or removed.
    if (error.code === 'OBJECT_MISSING') return { kind: 'left', ...MISSING };
    return { kind: 'left', state: 'unclear', why: error.message };
  } finally {
    await rm(file, { force: true });
  }
}

const SOUND: Left = { state: 'sound', why: 'it is sound by now' };
const MISSING: Left = { state: 'missing', why: 'it is gone by now' };

/** Why a part must not be moved, by a look at it now; undefined when it is damaged. */
async function whyLeft(vault: Vault, part: KnownPart, call: CallOptions): Promise<Left | undefined> {
  const verdict = await judgePart(vault, part, { ...call, copyTo: undefined });
  switch (verdict.kind) {
    case 'sound':
      return SOUND;
    case 'unjudged':
      return { state: 'unclear', why: verdict.fault.message };
    case 'damaged':
      return verdict.code === 'PART_MISSING' ? MISSING : undefined;
  }
}

async function requireCopy({ store }: Vault, key: string, wanted: Digest, call: CallOptions): Promise<void> {
  let copy: Digest | undefined;
  try {
    copy = await digestStream(store.stream(key, call));
  } catch (error) {
    if (!hasCode(error, 'OBJECT_MISSING', 'VAULT_CORRUPT')) throw error;
  }
  if (copy !== undefined && isSame(copy, wanted)) return;
  throw new TablevaultError('VAULT_CORRUPT', `the copy in quarantine does not have the bytes of its part: ${key}`, {
    at: { object: key },
    hint: 'Nothing was removed. The store or the disk is faulty: look at that first.',
  });
}

const isSame = (one: Digest, other: Digest): boolean => one.bytes === other.bytes && one.sha256 === other.sha256;
