import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasCode, TablevaultError } from '../../../../src/core/errors.ts';
import { parseTarget } from '../../../../src/run/restore/target.ts';

describe('an address of PostgreSQL', () => {
  it('never shows a password, whatever characters it holds, and is a wrong usage or understood', () => {
    const password = fc
      .string({ unit: fc.constantFrom(...'12abZ/:?#@%+&=!$ '), minLength: 1, maxLength: 20 })
      .map((text) => `Qx7${text}Qy8`);
    fc.assert(
      fc.property(password, fc.constantFrom('', ':1'), (secret, port) => {
        const shown = (() => {
          try {
            const target = parseTarget(`postgres://u:${secret}@127.0.0.1${port}/db`, undefined);
            return inspect(target, { depth: 9 });
          } catch (error) {
            if (!hasCode(error, 'USAGE')) throw error;
            return `${error.message} ${error.hint} ${JSON.stringify(error.at)}`;
          }
        })();
        expect(shown).not.toMatch(/Qx7|Qy8/);
      }),
    );
  });

  it.each([
    ['postgres://u:12/topsecret@127.0.0.1:1/db', /no address of PostgreSQL/],
    ['postgres://u:12?topsecret@127.0.0.1:1/db', /no address of PostgreSQL/],
    ['postgres://u:50%off@h/db', /the password in --to holds a % that is no escape/],
    ['postgres://50%off@h/db', /the user in --to/],
    ['postgres://u@h/50%off', /the database in --to/],
    ['postgres://u@h/db?sslrootcert=/nonexist', /sslrootcert in --to cannot be read: \/nonexist \(ENOENT\)/],
  ])('that cannot be used is a wrong usage that says how to write it: %s', (address, message) => {
    try {
      parseTarget(address, undefined);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(TablevaultError);
      expect(error).toMatchObject({ code: 'USAGE', message: expect.stringMatching(message) });
      expect((error as TablevaultError).hint).not.toBe('');
    }
  });

  it('keeps what is escaped', () => {
    const target = parseTarget('postgres://u:12%2Fsecret@h:1/db?schema=s', undefined);
    expect(target).toMatchObject({ kind: 'postgres', schema: 's', shown: 'postgres://u@h:1/db' });
    if (target.kind === 'postgres') expect(target.url.reveal()).toBe('postgres://u:12%2Fsecret@h:1/db');
  });
});
