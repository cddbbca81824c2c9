import { describe, expect, test } from 'vitest';
import { countsRows, type Page, pagesOf } from '../../../src/read/pages.ts';

const CHAIN = { table: 'T', root: 'http://erp.test/odata/', query: 'T?$top=2', keyed: true };

async function read(answer: (url: string, n: number) => Partial<Page>, keyed = true) {
  const urls: string[] = [];
  const pages = pagesOf({ ...CHAIN, keyed }, async (url) => {
    urls.push(url);
    return { rows: 1, nextLink: null, ends: `${urls.length}`, ...answer(url, urls.length) };
  });
  for await (const _ of pages);
  return urls;
}

describe('pages', () => {
  test('are followed to the one without a link', async () => {
    const urls = await read((_, n) => ({ nextLink: n < 3 ? `T?$skiptoken=${n}` : null }));
    expect(urls).toEqual(
      ['T?$top=2', 'T?$skiptoken=1', 'T?$skiptoken=2'].map((each) => `http://erp.test/odata/${each}`),
    );
  });

  test('that lead back, come again, or stay empty are given up within a bound', async () => {
    const bad = { code: 'PAGING_LOOP', retryable: true };
    await expect(read(() => ({ nextLink: 'T?$top=2' }))).rejects.toMatchObject(bad);
    await expect(read((_, n) => ({ nextLink: `T?$skiptoken=${n}`, ends: 'same' }))).rejects.toMatchObject(bad);
    await expect(read((_, n) => ({ nextLink: `T?$skiptoken=${n}`, ends: 'same' }), false)).rejects.toMatchObject(bad);
    await expect(read((_, n) => ({ nextLink: `T?$skiptoken=${n}`, rows: 0 }))).rejects.toMatchObject(bad);
  });

  test('that are alike or empty are no loop as long as more rows are counted', async () => {
    const link = (n: number, pages: number) => ({ nextLink: n < pages ? `T?$skiptoken=${n}` : null });
    const alike = (pages: number) => (_: string, n: number) => ({
      ...link(n, pages),
      rows: 10,
      ends: 'same',
      count: 1000,
    });
    expect(await read(alike(100), false)).toHaveLength(100);
    await expect(read(alike(1000), false)).rejects.toMatchObject({ code: 'PAGING_LOOP' });
    const empty = (pages: number) => (_: string, n: number) => ({
      ...link(n, pages),
      rows: n === 1 ? 5 : 0,
      count: 20,
    });
    expect(await read(empty(200), false)).toHaveLength(200);
    await expect(read(empty(10_000), false)).rejects.toMatchObject({ code: 'PAGING_LOOP' });
  });

  test('of known rows alone are given up as well, but not before all of them came', async () => {
    const known = (n: number, pages: number) => ({
      nextLink: n < pages ? `T?$skiptoken=${n}` : null,
      ends: '',
      rows: 10,
      excluded: 10,
    });
    await expect(read((_, n) => ({ ...known(n, 10_000), known: 1 }))).rejects.toMatchObject({ code: 'PAGING_LOOP' });
    expect(await read((_, n) => ({ ...known(n, 50), known: 500 }))).toHaveLength(50);
  });

  test('without a key may be alike a few times', async () => {
    expect(await read((_, n) => ({ nextLink: n < 10 ? `T?$skiptoken=${n}` : null, ends: 'same' }), false)).toHaveLength(
      10,
    );
  });

  test('are not asked for once nobody wants them', async () => {
    let asked = 0;
    for await (const _ of pagesOf(CHAIN, async () => ({
      rows: 1,
      nextLink: `T?$skiptoken=${++asked}`,
      ends: `${asked}`,
    })))
      break;
    expect(asked).toBe(1);
  });
});

test('links by a number of rows are told from opaque ones', () => {
  const counts = (link: string) => countsRows(link, 100, 2);
  for (const link of ['T?$skip=5', 'T?a=b&%24skip=5', 'T?offset=100', 'T?start=100&$top=5', 'T?page=3'])
    expect([link, counts(link)]).toEqual([link, true]);
  for (const link of ['T?$skiptoken=100', 'T?$filter=x', 'T?$top=100', 'T?$count=100', 'T?after=7000', 'T'])
    expect([link, counts(link)]).toEqual([link, false]);
});
