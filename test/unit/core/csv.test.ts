import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { csvField, csvNull } from '../../../src/core/csv.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-csv-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const VALUES = ['a', null, '', 'NULL', ' ', 'a,"b"', null];

describe('CSV', () => {
  it.each([1, 2])(
    'of %d columns gives every row back, null apart from empty text and from the word',
    async (columns) => {
      const rows = VALUES.map((value) => Array<string | null>(columns).fill(value));
      const nullText = csvNull(columns);
      const lines = rows.map((row) => row.map((value) => (value === null ? nullText : csvField(value, nullText))));
      const names = ['x', 'y'].slice(0, columns);
      const file = join(folder, `${columns}.csv`);
      await writeFile(file, [names, ...lines].map((line) => `${line.join(',')}\r\n`).join(''));
      const instance = await DuckDBInstance.create(':memory:');
      const connection = await instance.connect();
      const read = await connection.runAndReadAll(
        `FROM read_csv('${file}', header = true, all_varchar = true, nullstr = '${nullText}', allow_quoted_nulls = false)`,
      );
      expect(read.getRows()).toEqual(rows);
      connection.closeSync();
      instance.closeSync();
      const python = spawnSync('python3', [
        '-c',
        'import csv, sys; print(sum(1 for row in csv.DictReader(open(sys.argv[1], newline=""))))',
        file,
      ]);
      if (python.status === 0) expect(Number(python.stdout)).toBe(rows.length);
    },
  );
});

describe('a field of CSV', () => {
  it.each([
    ['plain', 'plain'],
    ['', '""'],
    ['a,b', '"a,b"'],
    ['say "no"', '"say ""no"""'],
    ['two\nlines', '"two\nlines"'],
    ['two\r', '"two\r"'],
    [' kept ', ' kept '],
    ['NULL', 'NULL'],
  ])('%j is written %s', (text, written) => expect(csvField(text)).toBe(written));
});
