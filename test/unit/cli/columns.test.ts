import { describe, expect, it } from 'vitest';
import { type Column, fits, hanging, pairs, table } from '../../../src/cli/columns.ts';
import { widthOf } from '../../../src/cli/text.ts';
import { NO_VIEW, type View } from '../../../src/cli/view.ts';

const at = (width: number): View => ({ ...NO_VIEW, width: () => width });

const COLUMNS: readonly Column[] = [
  { title: 'table', cut: 'middle' },
  { title: 'how', drop: 1 },
  { title: 'requests', align: 'right', drop: 2 },
  { title: 'time', align: 'right' },
];
const ROWS = [
  ['Crm_Sales_Order_Amendment_Lines', 'ranges', '1,000', '2 h 10 min'],
  ['X', 'stream', '2', '1.0 s'],
];

describe('a table', () => {
  it('is padded to the widest cells, numbers to the right, and whole where there is no terminal', () => {
    expect(table(COLUMNS, ROWS, NO_VIEW)).toEqual([
      'table                            how     requests        time',
      'Crm_Sales_Order_Amendment_Lines  ranges     1,000  2 h 10 min',
      'X                                stream         2       1.0 s',
    ]);
  });

  it('cuts the cells that may be cut first', () => {
    expect(table(COLUMNS, ROWS, at(50))[1]).toBe('Crm_Sales_…ent_Lines  ranges     1,000  2 h 10 min');
  });

  it('leaves columns out only then, the least important one first, and names them', () => {
    expect(table(COLUMNS, ROWS, at(40))).toEqual([
      'table                 how           time',
      'Crm_Sales_…ent_Lines  ranges  2 h 10 min',
      'X                     stream       1.0 s',
      'no room for: requests',
    ]);
  });

  it('leaves columns out before it cuts names that people type again, and cuts other cells before those', () => {
    const columns: readonly Column[] = [
      { title: 'table', cut: 'middle', cutAfter: 'cells' },
      { title: 'rows', align: 'right', drop: 1 },
      { title: 'key', cut: 'end', cutAfter: 'columns' },
    ];
    const rows = [['Crm_Sales_Order_Lines', '1,000', 'From_Document_Id, To_Document_Id']];
    expect(table(columns, rows, at(57))[1]).toBe(`${rows[0]![0]}  ${rows[0]![2]}`);
    expect(table(columns, rows, at(40))[1]).toBe('Crm_Sales_Order_Lines  From_Document_Id…');
    expect(table(columns, rows, at(20))[1]).toContain('…');
    for (const width of [20, 40, 57])
      for (const line of table(columns, rows, at(width))) expect(widthOf(line)).toBeLessThanOrEqual(width);
  });

  it('lets the last cell go on below its beginning where that is wished, and loses nothing', () => {
    const columns: readonly Column[] = [{ title: '#' }, { title: 'why', cut: 'wrap' }];
    const rows = [['12', 'newest complete, last 1, daily 2026-11-27']];
    expect(table(columns, rows, at(30))).toEqual(['#   why', '12  newest complete, last 1,', '    daily 2026-11-27']);
    expect(table(columns, rows, NO_VIEW)[1]).toBe('12  newest complete, last 1, daily 2026-11-27');
  });

  it('never cuts a column that is not to be cut', () => {
    expect(table(COLUMNS, ROWS, at(16))).toEqual([
      'ta…e        time',
      'Cr…s  2 h 10 min',
      'X          1.0 s',
      'no room for:',
      'how, requests',
    ]);
  });

  it('measures what one sees: wide characters, accents, control characters taken out', () => {
    const rows = [
      ['日本', '1'],
      ['e\u0301\u001b[31m', '2'],
    ];
    const lines = table([{ title: 'n' }, { title: 'v' }], rows, NO_VIEW);
    expect(lines).toEqual(['n       v', '日本    1', 'e\u0301 [31m  2']);
  });

  it('colours cells without changing the layout', () => {
    const columns: readonly Column[] = [
      { title: 'a', style: (cell) => (cell === 'bad' ? 'error' : undefined) },
      { title: 'b' },
    ];
    const view: View = { ...NO_VIEW, width: () => 80, coloured: true, paint: (style, text) => `<${style}>${text}</>` };
    expect(
      table(
        columns,
        [
          ['bad', '1'],
          ['fine', '2'],
        ],
        view,
      ),
    ).toEqual(['<heading>a     b</>', '<error>bad</>   1', 'fine  2']);
  });

  it('leaves out a column in which nothing is known before any other', () => {
    const columns: readonly Column[] = [
      { title: 'table' },
      { title: 'estimate', drop: 1 },
      { title: 'tasks', align: 'right', drop: 2 },
    ];
    const rows = [
      ['A', '?', '1'],
      ['B', '', '20'],
    ];
    expect(table(columns, rows, at(14))).toEqual([
      'table  tasks',
      'A          1',
      'B         20',
      'no room for:',
      'estimate',
    ]);
  });

  it('fits as long as its cells can be read', () => {
    const columns: readonly Column[] = [
      { title: 'a', cut: 'end' },
      { title: 'n', align: 'right' },
    ];
    const rows = [['x'.repeat(100), '123456']];
    expect([fits(columns, rows, 24), fits(columns, rows, 23)]).toEqual([true, false]);
  });
});

describe('a secret', () => {
  const secret = 'canary-of-sixteen-and-more';
  const view = (width: number): View => ({
    ...at(width),
    clean: (text) => text.replaceAll(secret, '[secret]').replaceAll(/(?<=bearer )\S+/g, '[secret]'),
  });

  it('is masked before a text is cut or wrapped, so that no part of it stays at any width', () => {
    for (let width = 10; width < 90; width++) {
      const shown = [
        ...table(
          [
            { title: 'a', cut: 'middle' },
            { title: 'b', cut: 'end' },
          ],
          [[`x${secret}y`, `bearer ${secret}`]],
          view(width),
        ),
        ...pairs([['name', `said bearer ${secret} to us`]], view(width)),
        ...hanging('step  ', 'step  ', `said bearer ${secret} to ${secret}`, view(width)),
      ].join('\n');
      expect(shown, `at ${width}`).not.toMatch(/canar|sixteen|more/);
    }
  });
});

describe('names and values', () => {
  it('stand side by side, and a value goes on below itself', () => {
    expect(
      pairs(
        [
          ['a', 'one two three'],
          ['long', 'x'],
        ],
        at(14),
      ),
    ).toEqual(['a     one two', '      three', 'long  x']);
  });

  it('a word that finds no room beside its name stands whole below it', () => {
    expect(pairs([['a name that is long', 'b0a4057c-d300-e211-80c7']], at(30))).toEqual([
      'a name that is long',
      '  b0a4057c-d300-e211-80c7',
    ]);
  });

  it('a long text is broken where it shall be, and never in a pipe', () => {
    const value = 'x'.repeat(50);
    for (const line of hanging('n  ', 'n  ', value, at(20), { hard: true }))
      expect(widthOf(line)).toBeLessThanOrEqual(20);
    expect(hanging('n  ', 'n  ', value, NO_VIEW, { hard: true })).toEqual([`n  ${value}`]);
  });
});
