import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Auth } from '../../../../src/core/pipeline.ts';
import { Secret } from '../../../../src/core/secret.ts';
import { createReferenceCredential } from '../../../../src/instance/credential.ts';
import { identityOf } from '../../../../src/run/snapshot/identity.ts';

const token = (value: string) =>
  ({ kind: 'reference-token', token: new Secret(value), header: 'authorization' }) as const satisfies Auth;
const service = (clientSecret: string, clientId = 'my.app/backup'): Auth => ({
  kind: 'service',
  clientId,
  clientSecret: new Secret(clientSecret),
});

describe('the identity that a run belongs to', () => {
  it('tells reference tokens apart, and vaults', async () => {
    const one = await identityOf(token('enrt_one'), 'vault');
    expect(await identityOf(token('enrt_one'), 'vault')).toEqual(one);
    expect(await identityOf(token('enrt_two'), 'vault')).not.toEqual(one);
    expect(await identityOf(token('enrt_one'), 'another vault')).not.toEqual(one);
  });

  it('is the client of a service, whose secret may be renewed', async () => {
    expect(await identityOf(service('old'), 'v')).toEqual(await identityOf(service('new'), 'v'));
    expect(await identityOf(service('old'), 'v')).not.toEqual(await identityOf(service('old', 'my.app/other'), 'v'));
  });

  it('holds nothing by which a short token is found with quick guesses', async () => {
    const text =
      JSON.stringify(await identityOf(token('4711'), 'vault')) + createReferenceCredential(token('4711')).describe();
    for (const algorithm of ['md5', 'sha1', 'sha256', 'sha512']) {
      const hash = createHash(algorithm).update('4711').digest('hex');
      expect(text).not.toContain(hash.slice(0, 8));
    }
    expect(text).not.toContain('4711');
  });
});
