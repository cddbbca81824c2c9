/** The only place that lays out columns. Pure. */
import { cutEnd, cutMiddle, plainText, type Wrap, widestWord, widthOf, wrap } from './text.ts';
import { NO_VIEW, type Style, type View } from './view.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'right';
  /**
   * Where a cell loses text when the table is wider than the terminal. Without it the cells of the column are never cut. `wrap`, for the last
   * column alone: nothing is lost, the cell goes on below its beginning.
   */
  readonly cut?: 'end' | 'middle' | 'wrap';
  /**
   * For names that people type again. `columns`: columns are left out before a cell of this one is cut. `cells`: the cells of other columns are
   * cut before too.
   */
  readonly cutAfter?: 'columns' | 'cells';
  /** When cutting is not enough, columns with a number are shown as far as there is room, the lowest number first. */
  readonly drop?: number;
  readonly style?: (cell: string) => Style | undefined;
}

/** Cells of each column; null leaves the column out. */
export type Widths = readonly (number | null)[];

type Rows = readonly (readonly string[])[];

const GAP = '  ';

/** A cell that is cut keeps so many characters while other columns can be left out, and so many in any case. */
const READABLE = 16;
const LEAST = 4;

/** A table with its titles. Where columns had to be left out, a last line names them. */
export function table(columns: readonly Column[], rows: Rows, view: View): string[] {
  const widths = planWidths(columns, rows, view.width());
  return [view.paint('heading', titleLine(columns, widths)), ...body(columns, rows, widths, view)];
}

/** The same without titles, for cells that say themselves what they are. */
export function untitled(columns: readonly Column[], rows: Rows, view: View): string[] {
  return body(columns, rows, planWidths(columns, rows, view.width()), view);
}

function body(columns: readonly Column[], rows: Rows, widths: Widths, view: View): string[] {
  const left = columns.filter((_, index) => widths[index] === null).map(({ title }) => title);
  const note = left.length === 0 ? [] : wrap(`no room for: ${left.join(', ')}`, view.width());
  return [
    ...rows.flatMap((cells) => rowLines(cells, columns, widths, view)),
    ...note.map((line) => view.paint('aside', line)),
  ];
}

/** Widths for these rows in at most `limit` cells: first cells are cut, then columns left out, then cells cut further. */
export function planWidths(columns: readonly Column[], rows: Rows, limit: number | undefined): Widths {
  const natural = naturalWidths(columns, rows);
  if (limit === undefined) return natural;
  const widths: (number | null)[] = natural.map((width, index) =>
    columns[index]?.cut ? Math.min(width, limit) : width,
  );
  const leastTotal = () => total(leastWidths(columns, widths, READABLE, ['columns', 'cells']));
  const spare = columns.flatMap(({ drop }, index) =>
    drop === undefined ? [] : [{ drop, index, width: natural[index] ?? 0 }],
  );
  for (const { index } of spare) widths[index] = null;
  // A column in which nothing is known comes last.
  const isEmpty = (index: number) => rows.every((cells) => /^\??$/.test(cells[index] ?? ''));
  const order = spare.toSorted((a, b) => Number(isEmpty(a.index)) - Number(isEmpty(b.index)) || a.drop - b.drop);
  for (const { index, width } of order) {
    widths[index] = width;
    if (leastTotal() > limit) widths[index] = null;
  }
  const stages = [
    leastWidths(columns, widths, READABLE, ['columns', 'cells']),
    leastWidths(columns, widths, LEAST, ['cells']),
    leastWidths(columns, widths, LEAST, []),
  ];
  const least = stages.find((each) => total(each) <= limit) ?? stages.at(-1) ?? [];
  while (total(widths) > limit) {
    const widest = widestToCut(widths, least);
    if (widest === undefined) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

/** Can every column be shown in `limit` cells, with cells that can still be read? */
export function fits(columns: readonly Column[], rows: Rows, limit: number): boolean {
  return total(leastWidths(columns, naturalWidths(columns, rows), READABLE, [])) <= limit;
}

/** A row whose last cell may go on below its own beginning. */
function rowLines(cells: readonly string[], columns: readonly Column[], widths: Widths, view: View): string[] {
  const last = columns.length - 1;
  const width = widths[last];
  if (columns[last]?.cut !== 'wrap' || width == null) return [rowLine(cells, columns, widths, view)];
  const lines = wrap(view.clean(cells[last] ?? ''), width);
  const rest = cells.slice(0, last).map(() => '');
  return lines.map((line, index) =>
    rowLine([...(index === 0 ? cells.slice(0, last) : rest), line], columns, widths, view),
  );
}

/** One line: cells padded to their widths, two spaces apart, no spaces at the end. */
export function rowLine(cells: readonly string[], columns: readonly Column[], widths: Widths, view: View): string {
  const shown = columns.flatMap((column, index) => {
    const width = widths[index];
    if (width === null || width === undefined) return [];
    const cell = cutCell(view.clean(cells[index] ?? ''), column, width);
    const padding = ' '.repeat(Math.max(0, width - widthOf(cell)));
    const style = column.style?.(cell);
    const painted = style === undefined ? cell : view.paint(style, cell);
    return [column.align === 'right' ? padding + painted : painted + padding];
  });
  return shown.join(GAP).trimEnd();
}

export function titleLine(columns: readonly Column[], widths: Widths): string {
  const titles = columns.map(({ title }) => title);
  return rowLine(
    titles,
    columns.map(({ style: _, ...column }) => column),
    widths,
    NO_VIEW,
  );
}

/** Names and their values, one pair a line; a value that is too long goes on below itself. */
export function pairs(
  rows: readonly (readonly [name: string, value: string])[],
  view: View,
  options: Wrap = {},
): string[] {
  const width = Math.max(0, ...rows.map(([name]) => widthOf(view.clean(name))));
  return rows.flatMap(([name, value]) => {
    const plain = view.clean(name);
    const label = plain + ' '.repeat(width - widthOf(plain)) + GAP;
    return hanging(label, view.paint('aside', label), value, view, options);
  });
}

/** A label and a text beside it that is wrapped below its own beginning. `painted` is the label as it is shown. */
export function hanging(label: string, painted: string, text: string, view: View, options: Wrap = {}): string[] {
  const plain = view.clean(text);
  const limit = view.width();
  const indent = widthOf(label);
  // A word that finds no room beside the label stands whole below it.
  if (limit !== undefined && limit - indent < Math.min(widestWord(plain), limit - BELOW)) {
    return [painted.trimEnd(), ...wrap(' '.repeat(BELOW) + plain, limit, options)];
  }
  const lines = wrap(plain, limit === undefined ? undefined : limit - indent, options);
  return lines.map((line, index) => ((index === 0 ? painted : ' '.repeat(indent)) + line).trimEnd());
}

/** Spaces before a text below its label. */
const BELOW = 2;

function naturalWidths(columns: readonly Column[], rows: Rows): number[] {
  const widths = columns.map(({ title }) => widthOf(plainText(title)));
  for (const cells of rows) {
    cells.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, widthOf(plainText(cell)));
    });
  }
  return widths;
}

/** How narrow each column that is shown can become; those of these kinds stay whole. */
function leastWidths(
  columns: readonly Column[],
  widths: Widths,
  floor: number,
  whole: readonly Column['cutAfter'][],
): Widths {
  return widths.map((width, index) => {
    const { cut, cutAfter } = columns[index] ?? {};
    if (width === null || cut === undefined || (cutAfter !== undefined && whole.includes(cutAfter))) return width;
    return Math.min(width, floor);
  });
}

function widestToCut(widths: Widths, least: Widths): number | undefined {
  let widest: number | undefined;
  widths.forEach((width, index) => {
    if (width !== null && width > (least[index] ?? 0) && width > (widths[widest ?? -1] ?? 0)) widest = index;
  });
  return widest;
}

function total(widths: Widths): number {
  const shown = widths.filter((width) => width !== null);
  return shown.reduce((sum, width) => sum + width, 0) + GAP.length * Math.max(0, shown.length - 1);
}

function cutCell(text: string, { cut }: Column, width: number): string {
  if (cut === undefined || cut === 'wrap') return text;
  return cut === 'middle' ? cutMiddle(text, width) : cutEnd(text, width);
}
