/** Signatures of manifests. */
import { type KeyObject, sign, verify } from 'node:crypto';
import { canonicalJson } from '../../core/json.ts';
import { keyId } from '../../core/signing-key.ts';
import type { Manifest, ManifestDraft } from './manifest.ts';

/**
 * Signatures of manifests (Ed25519, RFC 8032). Signed is what a run decides to publish: all but the place in the chain, which is
 * only known once the manifest stands there, and which another process may give it. The order of signed snapshots is held by
 * `follows`, the snapshot that its writer found newest, by the hash of its stored bytes.
 *
 * The signature is part of the outcome, so whoever finishes a commit publishes it with the rest and needs no key.
 */
const CONTEXT = 'tablevault manifest 1\n';

export function signDraft(draft: ManifestDraft, key: KeyObject): ManifestDraft {
  const value = sign(null, signedBytes(draft), key).toString('base64');
  return { ...draft, signature: { algorithm: 'ed25519', key: keyId(key), value } };
}

/** Why the signature of a manifest does not hold, as the end of a sentence ("it …"); undefined when it does. */
export function signatureProblem(manifest: Manifest, keys: readonly KeyObject[]): string | undefined {
  const { signature } = manifest;
  if (signature === undefined) return 'is not signed';
  const key = keys.find((each) => keyId(each) === signature.key);
  if (key === undefined) return `is signed with key ${signature.key}, which was not given`;
  const { sequence: _sequence, parent: _parent, ...draft } = manifest;
  const holds = verify(null, signedBytes(draft), key, Buffer.from(signature.value, 'base64'));
  return holds ? undefined : `is not what key ${signature.key} signed`;
}

function signedBytes({ signature: _signature, ...rest }: ManifestDraft): Buffer {
  return Buffer.from(CONTEXT + canonicalJson(rest));
}
