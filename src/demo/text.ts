/** The words of the demo company, and the texts that break careless readers. */
import { mix } from './hash.ts';
import type { DemoColumn } from './model.ts';

const WORDS = (
  'North,Harbour,Silver,Mill,Garden,Stone,Bridge,Summit,River,Amber,Cedar,Falcon,Meadow,Orchard,Granite,Copper,Willow,Beacon,Prairie,' +
  'Лоза,Искър,Балкан,Тракия,Роза,Вихрен,Странджа,Камчия,Пирин,Марица'
).split(',');
const FIRST = 'Ivan,Maria,Georgi,Elena,Petar,Anna,Nikolay,Sofia,Dimitar,Vera,Иван,Мария,Георги,Елена'.split(',');
const LAST = 'Petrov,Ivanova,Dimitrov,Koleva,Stoyanov,Marinova,Георгиев,Николова'.split(',');
const GOODS = 'Bolt,Panel,Cable,Bracket,Filter,Valve,Motor,Sensor,Ламинат,Кабел,Филтър,Table,Lamp,Pump,Bearing'.split(
  ',',
);

/** Texts with every escape JSON knows, other alphabets, and what looks like something else. */
const EDGES = [
  '',
  ' ',
  "O'Brien & Sons <b>",
  'say "quote" \\ back / slash',
  'tab\tline\nreturn\rform\ffeed\bback',
  '\u0001\u001f\u007f\u0085',
  'Кирилица ЁЖЩЪ',
  '😀 👨‍👩‍👧 🇧🇬',
  '\u2028line\u2029paragraph\ufeff',
  'null',
  '0012.50',
  '日本語 العربية עברית',
  'e\u0301 vs \u00e9',
  ' leading and trailing ',
  '}],"@odata.nextLink":"x"',
  '\ud83d\ude80'.repeat(40),
];
const LONG_EDGES = [
  ...EDGES,
  'nul\u0000inside',
  'Дълъг текст с много думи. '.repeat(200),
  '{"json":[1,2.50,{"a":null}]}',
];

/** A text cut to `length` UTF-16 units, as SQL Server counts them, never in the middle of a pair. */
export function cutText(text: string, length: number | null): string {
  if (length === null || text.length <= length) return text;
  const cut = text.slice(0, length);
  const last = cut.charCodeAt(length - 1);
  return last >= 0xd800 && last <= 0xdbff ? cut.slice(0, -1) : cut;
}

/** The n-th special text for a column of this length. */
export function edgeText(n: number, length: number | null, fixed: boolean): string {
  if (fixed) return [' '.repeat(length ?? 1), 'a', '"', "'", 'Я'][n % 5]!.padEnd(length ?? 1).slice(0, length ?? 1);
  const list = length === null ? LONG_EDGES : EDGES;
  return cutText(list[n % list.length]!, length);
}

/** A maker of ordinary texts for a column, chosen by its name; `h` is the row's hash, `n` its ordinal. */
export function textMaker(column: DemoColumn, length: number | null, fixed: boolean): (h: number, n: number) => string {
  const name = column.name;
  if (fixed) {
    const width = length ?? 1;
    const codes = ['ACT', 'STD', 'NEW', 'OPT', 'RSV', 'FIN'].map((code) => code.padEnd(width, 'X').slice(0, width));
    return (h) => codes[h % codes.length]!;
  }
  const cut = (make: (h: number, n: number) => string) => (h: number, n: number) => cutText(make(h, n), length);
  if (/json/i.test(name)) return cut((h) => `{"v":${h % 100},"note":"${pick(WORDS, h)}"}`);
  if (/email/i.test(name)) return cut((h, n) => `${pick(FIRST, h % 10).toLowerCase()}.${n}@example.com`);
  if (/(_User|Login|Created_By)$/.test(name))
    return cut((h) => `${pick(FIRST, h % 10).toLowerCase()}.${pick(LAST, h % 6)}`);
  if (/Document_No|Number$|_No$/.test(name))
    return cut((_, n) =>
      String(n + 1)
        .padStart(10, '0')
        .slice(length === null ? 0 : -Math.min(10, length)),
    );
  if (/Code$|Part_Number|GLN|SKU/.test(name)) return cut((h, n) => `${(h % 26) + 10}-${String(n).padStart(5, '0')}`);
  if (/Phone/.test(name)) return cut((h) => `+359 2 ${String(h % 10_000_000).padStart(7, '0')}`);
  if (/Password/.test(name)) return cut((h, n) => `hash-${h.toString(16)}${mix(h, n).toString(16)}`);
  if (/^(First|Middle)_Name/.test(name)) return cut((h) => pick(FIRST, h));
  if (/^Last_Name/.test(name)) return cut((h) => pick(LAST, h));
  if (/Person|Full_Name|User_Name/.test(name)) return cut((h) => `${pick(FIRST, h)} ${pick(LAST, h >>> 8)}`);
  if (/Product|Description/.test(name)) return cut((h, n) => `${pick(GOODS, h)} ${pick(WORDS, h >>> 8)} ${n % 500}`);
  if (length === null) {
    return (h, n) => (h % 9 === 0 ? paragraph(h, n) : `${pick(WORDS, h)} ${pick(GOODS, h >>> 8)}: ${n}`);
  }
  return cut((h, n) => `${pick(WORDS, h)} ${pick(GOODS, h >>> 10)}${length > 40 ? ` ${n}` : ''}`);
}

function pick(list: readonly string[], h: number): string {
  return list[h % list.length]!;
}

function paragraph(h: number, n: number): string {
  let text = '';
  const words = 20 + (h % 60);
  for (let i = 0; i < words; i++) text += `${pick(WORDS, mix(h, i + n))} `;
  return text;
}
