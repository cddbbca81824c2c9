import { describe, expect, it } from 'vitest';
import { TablevaultError } from '../../../src/core/errors.ts';
import type { RunEvent } from '../../../src/core/events.ts';
import { Secret } from '../../../src/core/secret.ts';
import { createReferenceCredential, createServiceCredential } from '../../../src/instance/credential.ts';
import { checkGrant, type TokenGrant } from '../../../src/instance/token-checks.ts';
import { createFakeClock } from './support/fake-clock.ts';

const auth = { kind: 'service', clientId: 'my.app/backup', clientSecret: new Secret('example-secret') } as const;
const HOUR = 3_600_000;

function setUp(answer: (asked: number) => Promise<void> = () => Promise.resolve()) {
  const clock = createFakeClock();
  const events: RunEvent[] = [];
  let asked = 0;
  const requestToken = async (): Promise<TokenGrant> => {
    asked += 1;
    const mine = asked;
    const askedAt = clock.now();
    await answer(mine);
    return { token: new Secret(`token-${mine}`), askedAt, lifetimeMs: HOUR, scopes: ['read'], warnings: ['wide'] };
  };
  const credential = createServiceCredential(auth, { clock, emit: (event) => events.push(event), requestToken });
  return { clock, events, credential, asked: () => asked };
}

describe('a service credential', () => {
  it('asks for one token for callers that come together', async () => {
    const { credential, asked } = setUp();
    const all = await Promise.all(Array.from({ length: 20 }, () => credential.headers()));
    expect(asked()).toBe(1);
    expect(new Set(all).size).toBe(1);
    expect(all[0]).toEqual({ authorization: 'Bearer token-1' });
  });

  it('renews a minute before the token expires, not earlier', async () => {
    const { credential, clock, asked } = setUp();
    await credential.headers();
    await clock.advance(HOUR - 61_000);
    await credential.headers();
    expect(asked()).toBe(1);
    await clock.advance(1500);
    expect(await credential.headers()).toEqual({ authorization: 'Bearer token-2' });
    expect(asked()).toBe(2);
  });

  it('makes requests wait while a renewal runs', async () => {
    let finish = () => undefined as undefined;
    const { credential } = setUp((asked) =>
      asked === 1
        ? Promise.resolve()
        : new Promise((resolve) => {
            finish = () => void resolve();
          }),
    );
    const used = await credential.headers();
    const renewing = credential.renewAfter401(used);
    let got: unknown;
    const waiting = credential.headers().then((headers) => {
      got = headers;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(got).toBeUndefined();
    finish();
    await Promise.all([renewing, waiting]);
    expect(got).toEqual({ authorization: 'Bearer token-2' });
  });

  it('does not ask again when the refused token is no longer the current one', async () => {
    const { credential, asked } = setUp();
    const old = await credential.headers();
    await credential.renewAfter401(old);
    expect(await credential.renewAfter401(old)).toBe(true);
    expect(asked()).toBe(2);
  });

  it('goes on with a living token when its early renewal fails for the moment', async () => {
    const { credential, clock, events, asked } = setUp((count) =>
      count === 2
        ? Promise.reject(new TablevaultError('INSTANCE_ANSWER', 'busy', { retryable: true }))
        : Promise.resolve(),
    );
    await credential.headers();
    await clock.advance(HOUR - 50_000);
    const together = await Promise.all([1, 2, 3].map(() => credential.headers()));
    expect(together).toEqual(together.map(() => ({ authorization: 'Bearer token-1' })));
    expect(events.filter((event) => 'message' in event && event.message.includes('not be renewed'))).toHaveLength(1);
    expect(events).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining('could not be renewed yet') }),
    );
    await clock.advance(10_001);
    expect(await credential.headers()).toEqual({ authorization: 'Bearer token-3' });
    expect(asked()).toBe(3);
  });

  it('fails when the token is dead and cannot be renewed', async () => {
    const { credential, clock } = setUp((count) =>
      count === 2 ? Promise.reject(new TablevaultError('AUTH_CLIENT', 'disabled')) : Promise.resolve(),
    );
    await credential.headers();
    await clock.advance(2 * HOUR);
    await expect(credential.headers()).rejects.toMatchObject({ code: 'AUTH_CLIENT' });
  });

  it('tells the same warning once', async () => {
    const { credential, events } = setUp();
    await credential.renewAfter401(await credential.headers());
    expect(events.filter(({ type }) => type === 'warning')).toHaveLength(1);
  });

  it('takes its secrets out of texts of the server', async () => {
    const { credential } = setUp();
    await credential.headers();
    expect(credential.scrub('a example-secret b token-1 c')).toBe('a [secret] b [secret] c');
  });
});

describe('a reference token', () => {
  it('goes into one header, never both', async () => {
    const token = new Secret('enrt_example');
    const bearer = createReferenceCredential({ kind: 'reference-token', token, header: 'authorization' });
    const key = createReferenceCredential({ kind: 'reference-token', token, header: 'x-api-key' });
    expect(await bearer.headers()).toEqual({ authorization: 'Bearer enrt_example' });
    expect(await key.headers()).toEqual({ 'x-api-key': 'enrt_example' });
    expect(await bearer.describe()).not.toContain('enrt_');
  });

  it('cannot be renewed', async () => {
    const credential = createReferenceCredential({
      kind: 'reference-token',
      token: new Secret('x'),
      header: 'x-api-key',
    });
    expect(await credential.renewAfter401()).toBe(false);
  });
});

describe('the check of a token', () => {
  it('takes an opaque token by the scope of the answer', () => {
    const grant = checkGrant(
      { accessToken: 'opaque', scope: 'read', expiresIn: 120 },
      'https://demodb.my.erp.net/id',
      5,
    );
    expect(grant).toMatchObject({ askedAt: 5, lifetimeMs: 120_000, scopes: ['read'], warnings: [] });
  });

  it('takes an answer without scope for the scope that was asked for', () => {
    expect(checkGrant({ accessToken: 'opaque', scope: undefined, expiresIn: undefined }, 'x', 0)).toMatchObject({
      lifetimeMs: HOUR,
      warnings: [],
    });
  });

  it('never prints the token', () => {
    const grant = checkGrant({ accessToken: 'opaque', scope: 'read', expiresIn: 1 }, 'x', 0);
    expect(JSON.stringify(grant)).not.toContain('opaque');
  });
});
