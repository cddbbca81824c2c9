import { resolve } from 'node:path';
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
    ['postgres://u@h/db#schema=x', /no address of PostgreSQL/],
    ['postgres://u@h/db?shcema=x', /an unknown parameter/],
    ['postgres://u@h/db?sslmod=require', /an unknown parameter/],
    ['postgres://u@h/db?sslmode=requrie', /the parameter sslmode in --to is empty, given twice, or not one/],
    ['postgres://u@h/db?schema=a&schema=b', /the parameter schema in --to is empty, given twice/],
    ['postgres://u@h/db?schema=', /the parameter schema in --to is empty/],
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

describe('a target', () => {
  const PASSWORD = 'hunter2secret';
  const ADDRESS = `postgres://bob:${PASSWORD}@127.0.0.1/db`;

  it.each([
    ` ${ADDRESS}`,
    `${ADDRESS} `,
    `${ADDRESS}\n`,
    `"${ADDRESS}"`,
    `'${ADDRESS}'`,
    `“${ADDRESS}”`,
    `<${ADDRESS}>`,
    `DATABASE_URL=${ADDRESS}`,
    ADDRESS.replace('//', '/'),
    ADDRESS.replace('//', ''),
    ADDRESS.replace('postgres', 'postgrse'),
    ADDRESS.replace('postgres:', ''),
    ADDRESS.replace('postgres://', ''),
    `${ADDRESS}?shcema=x`,
    `jdbc:postgresql://127.0.0.1/db?user=bob&password=${PASSWORD}`,
    `host=127.0.0.1 user=bob password=${PASSWORD}`,
    `mysql://bob:${PASSWORD}@127.0.0.1/db`,
    'sqlite:rows.db',
    's3://bucket/prefix',
    'file:///tmp/x',
    'x.xlsx',
    './x.xlsx',
    'rows.csv',
  ])('that is an address of another kind, a broken one or another file is refused, and not shown: %s', (to) => {
    try {
      parseTarget(to, undefined);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'USAGE', exitCode: 2 });
      const { message, hint, at } = error as TablevaultError;
      expect(`${message} ${hint} ${JSON.stringify(at)}`).not.toContain(PASSWORD);
      expect(hint).not.toBe('');
    }
  });

  it.each([
    './odd:name',
    '../odd:name',
    '/odd:name',
    'out/2026-11-28T08:17',
    'C:\\vault',
    'c:/vault',
    'rows.csv/',
    '//server/share',
  ])('that is a path is a folder: %s', (to) => {
    expect(parseTarget(to, undefined)).toEqual({ kind: 'folder', path: resolve(to), format: 'parquet' });
  });

  it('with a parameter that is nearly right is told the right one', () => {
    expect(() => parseTarget('postgres://u@h/db?shcema=x', undefined)).toThrow(
      expect.objectContaining({ hint: expect.stringMatching(/^Near it: `schema`/) }),
    );
  });

  it('takes what the client of PostgreSQL knows', () => {
    const to = 'postgresql://u@h:1/db?sslmode=verify-full&application_name=nightly&schema=s';
    expect(parseTarget(to, undefined)).toMatchObject({ kind: 'postgres', schema: 's', shown: 'postgresql://u@h:1/db' });
  });
});
