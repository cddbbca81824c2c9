import { describe, expect, it } from 'vitest';
import { isGlobalIdentity, isThisMachine, parseAddress, proxyFor, withoutUser } from '../../../src/core/address.ts';

const hostOf = (url: string) => new URL(url).hostname;

describe('this machine', () => {
  it.each(['http://localhost', 'http://127.0.0.1:8080', 'http://127.1.2.3', 'http://[::1]/x', 'http://127.1'])(
    'is %s',
    (url) => expect(isThisMachine(hostOf(url))).toBe(true),
  );

  it.each([
    'http://127.0.0.1.example.com',
    'http://localhost.example.com',
    'http://128.0.0.1',
    'http://[::2]',
    'http://demodb.my.erp.net',
  ])('is not %s', (url) => expect(isThisMachine(hostOf(url))).toBe(false));
});

describe('the global identity', () => {
  it.each(['https://id.erp.net', 'https://ID.ERP.NET./x', 'https://login.id.erp.net'])('is %s', (url) =>
    expect(isGlobalIdentity(hostOf(url))).toBe(true),
  );

  it.each(['https://demodb.my.erp.net', 'https://id.erp.net.example.com', 'https://myid.erp.net'])('is not %s', (url) =>
    expect(isGlobalIdentity(hostOf(url))).toBe(false),
  );
});

describe('an address that may be sent a credential', () => {
  it.each(['https://demodb.my.erp.net', 'HTTPS://host:8443/path', 'http://localhost:1234', 'http://[::1]:80/a'])(
    'is %s',
    (text) => expect(parseAddress(text)).toEqual({ url: new URL(text) }),
  );

  it.each([
    ['demodb.my.erp.net', 'begins with https://'],
    ['ftp://demodb.my.erp.net', 'begins with https://'],
    ['http://demodb.my.erp.net', 'must be https'],
    ['http://127.0.0.1.example.com', 'must be https'],
    ['https://host?x=1', 'query'],
    ['https://host#x', 'fragment'],
    ['https://user:word@host', 'user name'],
  ])('is not %s', (text, why) => expect(parseAddress(text)).toMatchObject({ wrong: expect.stringContaining(why) }));

  it('is said to hold a secret when it holds a password', () => {
    expect(parseAddress('https://user:word@host')).toMatchObject({ secret: true });
    expect(parseAddress('https://host?x=1')).not.toHaveProperty('secret');
  });
});

describe('an address for people', () => {
  it.each([
    ['s3://bucket/prefix@2', 's3://bucket/prefix@2'],
    ['s3://AKEY@bucket/prefix', 's3://…@bucket/prefix'],
    ['https://host:8443/path', 'https://host:8443/path'],
    ['/a/folder@home', '/a/folder@home'],
  ])('of %s is %s', (address, shown) => expect(withoutUser(address)).toBe(shown));

  it.each([
    's3://user:pa55word@bucket/x',
    's3://AK:pa55@word@b/x',
    'ftp://u:pa55/word@host',
    'https://:pa55word@h/a@b',
  ])('of %s holds no part of the password, whatever it holds', (address) =>
    expect(withoutUser(address)).not.toMatch(/pa55|word/),
  );
});

describe('the proxy of an address', () => {
  const HTTPS_PROXY = 'http://proxy.test:3128';
  const through = (url: string, env: Record<string, string>) => proxyFor(new URL(url), env)?.host;

  it('is that of HTTPS_PROXY, in upper or lower case; an empty variable is none', () => {
    expect(through('https://erp.test', { HTTPS_PROXY })).toBe('proxy.test:3128');
    expect(through('https://erp.test', { https_proxy: HTTPS_PROXY })).toBe('proxy.test:3128');
    expect(through('https://erp.test', { https_proxy: 'http://lower.test:1', HTTPS_PROXY })).toBe('lower.test:1');
    expect(through('https://erp.test', { https_proxy: '', HTTPS_PROXY })).toBe('proxy.test:3128');
    expect(through('https://erp.test', { HTTPS_PROXY: '' })).toBeUndefined();
    expect(through('https://erp.test', {})).toBeUndefined();
  });

  it('keeps its user, and may leave out http://', () => {
    const proxy = proxyFor(new URL('https://erp.test'), { HTTPS_PROXY: 'http://user:word@proxy.test:3128' });
    expect(proxy).toMatchObject({ username: 'user', password: 'word' });
    expect(through('https://erp.test', { HTTPS_PROXY: 'proxy.test:3128' })).toBe('proxy.test:3128');
  });

  it('is none for plain http, nor for this machine', () => {
    for (const url of ['http://erp.test', 'https://localhost', 'https://127.0.0.1:8443', 'https://[::1]:8443'])
      expect(through(url, { HTTPS_PROXY }), url).toBeUndefined();
  });

  it.each([
    ['https://erp.test', 'erp.test'],
    ['https://erp.test', 'other.test, ERP.test'],
    ['https://erp.test', 'other.test erp.test'],
    ['https://a.erp.test', 'erp.test'],
    ['https://a.erp.test', '.erp.test'],
    ['https://a.erp.test', '*.erp.test'],
    ['https://erp.test', 'erp.test:443'],
    ['https://erp.test:8443', 'erp.test:8443'],
    ['https://[2001:db8::7]', '2001:db8::7'],
    ['https://[2001:db8::7]', '[2001:db8::7]'],
    ['https://[2001:db8::7]:8443', '[2001:db8::7]:8443'],
    ['https://erp.test.', 'erp.test'],
    ['https://a.erp.test.', 'erp.test'],
    ['https://a.erp.test', 'erp.test.'],
    ['https://erp.test', 'erp.test.:443'],
    ['https://[2001:db8::7]', '2001:0db8:0:0:0:0:0:7'],
    ['https://[2001:db8:0:0:0:0:0:7]:8443', '[2001:DB8::0007]:8443'],
    ['https://erp.test', '*'],
    ['https://erp.test', 'other.test,*'],
  ])('is none for %s with NO_PROXY=%s', (url, NO_PROXY) => {
    expect(through(url, { HTTPS_PROXY, NO_PROXY })).toBeUndefined();
    expect(through(url, { HTTPS_PROXY, no_proxy: NO_PROXY })).toBeUndefined();
  });

  it.each([
    ['https://erp.test', ''],
    ['https://erp.test', 'other.test,,'],
    ['https://erp.test', 'a.erp.test'],
    ['https://myerp.test', 'erp.test'],
    ['https://erp.test', 'erp.test:8443'],
    ['https://[2001:db8::7]', '2001:db8::'],
  ])('is kept for %s with NO_PROXY=%s', (url, NO_PROXY) => {
    expect(through(url, { HTTPS_PROXY, NO_PROXY })).toBe('proxy.test:3128');
  });

  it('is refused without its password where that is not escaped, whatever it holds', () => {
    for (const password of [
      '12/secretpart',
      '12#secretpart',
      '12?secretpart',
      '/secretpart',
      '#secretpart@x',
      '50%secretpart',
    ]) {
      try {
        const proxy = proxyFor(new URL('https://erp.test'), { HTTPS_PROXY: `http://user:${password}@proxy.test:3128` });
        expect.unreachable(proxy?.href);
      } catch (error) {
        expect(error).toMatchObject({ code: 'CONFIG_INVALID', hint: expect.stringContaining('%2F') });
        expect(String(error)).not.toContain('secretpart');
      }
    }
  });

  it.each(['socks5://proxy.test:1080', 'http://', ':3128'])('is refused as %s, with what to write', (text) => {
    const look = () => proxyFor(new URL('https://erp.test'), { HTTPS_PROXY: text });
    expect(look).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', hint: expect.stringContaining('http://') }));
  });
});
