import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { canonicalJson } from './json.ts';
import type { Manifest, ManifestDraft } from './manifest.ts';

/**
 * Signatures of manifests (Ed25519, RFC 8032). Signed is what a run decides to publish: all but the place in the chain, which is
 * only known once the manifest stands there, and which another process may give it. The order of signed snapshots is held by
 * `follows`, the snapshot that its writer found newest, by the hash of its stored bytes.
 *
 * The signature is part of the outcome, so whoever finishes a commit publishes it with the rest and needs no key.
 */
const CONTEXT = 'tablevault manifest 1\n';

/** A private key as PEM, or PKCS #8 as base64 on one line; undefined when it is none for Ed25519. */
export function parsePrivateKey(text: string): KeyObject | undefined {
  return ed25519(() =>
    text.includes('-----BEGIN')
      ? createPrivateKey(text)
      : createPrivateKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'pkcs8' }),
  );
}

/** A public key as PEM; undefined when it is none for Ed25519. A private key is refused: it has no business where one verifies. */
export function parsePublicKey(text: string): KeyObject | undefined {
  return text.includes('PRIVATE KEY') ? undefined : ed25519(() => createPublicKey(text));
}

function ed25519(parse: () => KeyObject): KeyObject | undefined {
  try {
    const key = parse();
    return key.asymmetricKeyType === 'ed25519' ? key : undefined;
  } catch {
    return undefined;
  }
}

/** Names a key: the first 16 hexadecimal digits of the SHA-256 of its public half (SPKI, DER). */
export function keyId(key: KeyObject): string {
  const half = key.type === 'private' ? createPublicKey(key) : key;
  return createHash('sha256')
    .update(half.export({ format: 'der', type: 'spki' }))
    .digest('hex')
    .slice(0, 16);
}

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
