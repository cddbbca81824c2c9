/** What signatures are for: somebody who may write the vault, and knows its format, alters history so that all hashes agree. */
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sha256Hex } from '../../../../src/core/digest.ts';
import { canonicalBytes } from '../../../../src/core/json.ts';
import type { Pipeline } from '../../../../src/core/pipeline.ts';
import { Secret } from '../../../../src/core/secret.ts';
import { keyId, parsePrivateKey, parsePublicKeys } from '../../../../src/core/signing-key.ts';
import { signedDraft } from '../../../../src/run/snapshot/draft.ts';
import { verifyVault } from '../../../../src/run/vault/verify.ts';
import { readCatalog } from '../../../../src/vault/chain/catalog.ts';
import { type Manifest, manifestBytes } from '../../../../src/vault/chain/manifest.ts';
import { writeIndex } from '../../../../src/vault/chain/write-index.ts';
import { commitSnapshot } from '../../../../src/vault/commit/commit.ts';
import { LATEST_KEY, outcomeKey, partKey, snapshotKey } from '../../../../src/vault/layout.ts';
import { readStoredManifest, type Vault } from '../../../../src/vault/vault.ts';
import { draft, memoryVault, partEntry, runId, tableEntry, testClock } from '../support.ts';

const deps = { clock: testClock(true), persistence: { attempts: 2, firstPauseMs: 1, lastPauseMs: 1 } };
const ours = generateKeyPairSync('ed25519');
const theirs = generateKeyPairSync('ed25519');
const pem = (key: typeof ours.privateKey) => String(key.export({ format: 'pem', type: 'pkcs8' }));
const signal = new AbortController().signal;

async function publish(vault: Vault, signingKey = ours.privateKey): Promise<void> {
  const run = runId();
  const pipeline = { signingKey: new Secret(pem(signingKey)) } as Pipeline;
  const sha256 = sha256Hex('part');
  const key = partKey('Gen_Documents', run, 0, sha256);
  await vault.store.putNew(key, Buffer.from('part'));
  const tables = [tableEntry([partEntry({ key, run, sha256, rows: 2, bytes: 4 })])];
  const signed = await signedDraft(draft({ run, snapshot: run, tables }), pipeline, vault, signal);
  await commitSnapshot(vault, signed, deps);
}

async function threeSnapshots(): Promise<Vault> {
  const vault = await memoryVault();
  for (let n = 0; n < 3; n++) await publish(vault);
  return vault;
}

const check = async (vault: Vault, publicKeys = [ours.publicKey]) =>
  (await verifyVault(vault, { level: 'manifest', publicKeys })).findings;

/** Writes these manifests as the whole history: places, parents, outcomes and hints as they would be. */
async function rewrite(vault: Vault, history: readonly Manifest[], of: number): Promise<void> {
  const { store } = vault;
  for (let sequence = 1; sequence <= of; sequence++) {
    const { manifest } = await readStoredManifest(vault, sequence);
    await Promise.all([snapshotKey(sequence), outcomeKey(manifest.run)].map((key) => store.remove(key)));
  }
  let parent: Manifest['parent'] = null;
  for (const [index, old] of history.entries()) {
    const manifest: Manifest = { ...old, sequence: index + 1, parent };
    const bytes = manifestBytes(manifest);
    const { sequence: _s, parent: _p, ...rest } = manifest;
    const { run, nonce, snapshot, sequence } = manifest;
    await store.putNew(snapshotKey(sequence), bytes);
    await store.putNew(
      outcomeKey(run),
      canonicalBytes({ formatVersion: 1, outcome: 'commit', run, nonce, manifest: rest }),
    );
    const hint = canonicalBytes({ formatVersion: 1, sequence, snapshot, nonce, sha256: sha256Hex(bytes) });
    await store.replace(LATEST_KEY, hint);
    parent = { sequence, sha256: sha256Hex(bytes) };
  }
}

async function historyOf(vault: Vault): Promise<Manifest[]> {
  return Promise.all([1, 2, 3].map(async (sequence) => (await readStoredManifest(vault, sequence)).manifest));
}

describe('signed snapshots', () => {
  it('verify with the public key, and without any', async () => {
    const vault = await threeSnapshots();
    expect(await check(vault)).toEqual([]);
    expect((await verifyVault(vault, { level: 'manifest' })).findings).toEqual([]);
    const { manifest } = await readStoredManifest(vault, 3);
    expect(manifest.signature?.key).toBe(keyId(ours.publicKey));
    expect(manifest.follows?.snapshot).toBe((await readStoredManifest(vault, 2)).manifest.snapshot);
  });

  it('go on behind a newest manifest that was damaged, and verify when it is restored', async () => {
    const vault = await threeSnapshots();
    await writeIndex(vault, await readCatalog(vault), new Set());
    const sound = await vault.store.get(snapshotKey(3));
    await vault.store.replace(snapshotKey(3), new Uint8Array());
    await publish(vault);
    await vault.store.replace(snapshotKey(3), sound);
    expect((await readStoredManifest(vault, 4)).manifest.follows?.sha256).toBe(sha256Hex(sound));
    expect(await check(vault)).toEqual([]);
  });

  const forgeries: readonly (readonly [string, (history: Manifest[]) => Manifest[]])[] = [
    [
      'a table taken out',
      (all) =>
        all.map((each, i) =>
          i === 1 ? { ...each, tables: [], totals: { tables: 0, rows: 0, bytes: 0, parts: 0 } } : each,
        ),
    ],
    [
      'a partial snapshot called complete',
      (all) => all.map((each, i) => (i === 2 ? { ...each, complete: !each.complete } : each)),
    ],
    [
      'another time',
      (all) => all.map((each, i) => (i === 0 ? { ...each, finishedAt: '2020-01-01T00:00:00.000Z' } : each)),
    ],
    ['an unknown member', (all) => all.map((each, i) => (i === 0 ? ({ ...each, note: 'hello' } as Manifest) : each))],
    ['no signature', (all) => all.map(({ signature: _, ...each }, i) => (i === 1 ? each : all[i]!))],
    [
      'the signature of another',
      (all) => all.map((each, i) => (i === 1 ? { ...each, signature: all[2]!.signature! } : each)),
    ],
    ['the two newest exchanged', ([a, b, c]) => [a!, c!, b!]],
    ['the middle taken out', ([a, , c]) => [a!, c!]],
    ['the first taken out', ([, b, c]) => [b!, c!]],
  ];

  it.each(forgeries)('show %s, where hashes alone do not', async (_what, forge) => {
    const vault = await threeSnapshots();
    await rewrite(vault, forge(await historyOf(vault)), 3);
    expect((await verifyVault(vault, { level: 'manifest' })).findings).toEqual([]);
    const findings = await check(vault);
    expect(findings.length).toBeGreaterThan(0);
    expect(new Set(findings.map(({ code }) => code))).toEqual(new Set(['SIGNATURE']));
  });

  it('of another key, and unsigned ones, are found; several keys may be given, as after a change of keys', async () => {
    const vault = await memoryVault();
    await publish(vault);
    await publish(vault, theirs.privateKey);
    expect((await check(vault)).map(({ message }) => message)).toEqual([
      `it is signed with key ${keyId(theirs.publicKey)}, which was not given`,
    ]);
    expect(await check(vault, [ours.publicKey, theirs.publicKey])).toEqual([]);
    const run = runId();
    await commitSnapshot(vault, draft({ run, snapshot: run }), deps);
    expect((await check(vault, [ours.publicKey, theirs.publicKey])).map(({ message }) => message)).toEqual([
      'it is not signed',
    ]);
  });
});

describe('keys', () => {
  it('are taken as PEM, the private one also as base64; other kinds are refused', () => {
    const der = ours.privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64');
    for (const text of [pem(ours.privateKey), der]) expect(keyId(parsePrivateKey(text)!)).toBe(keyId(ours.publicKey));
    const publicPem = String(ours.publicKey.export({ format: 'pem', type: 'spki' }));
    expect(parsePublicKeys(publicPem)?.map(keyId)).toEqual([keyId(ours.publicKey)]);
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(parsePrivateKey(pem(other.privateKey))).toBeUndefined();
    expect(parsePublicKeys(pem(ours.privateKey))).toBeUndefined();
    expect(parsePrivateKey('not a key')).toBeUndefined();
    expect(parsePublicKeys('not a key')).toBeUndefined();
  });

  it('are all taken from a file that holds several, and none is left out in silence', () => {
    const [first, second] = [ours, theirs].map(({ publicKey }) =>
      String(publicKey.export({ format: 'pem', type: 'spki' })),
    ) as [string, string];
    const both = parsePublicKeys(`old key:\n${first}\r\nnew key:\n${second}`);
    expect(both?.map(keyId)).toEqual([keyId(ours.publicKey), keyId(theirs.publicKey)]);
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const ec = String(other.publicKey.export({ format: 'pem', type: 'spki' }));
    for (const text of [first + ec, first + pem(theirs.privateKey), first + second.slice(0, 60)])
      expect(parsePublicKeys(text)).toBeUndefined();
  });
});
