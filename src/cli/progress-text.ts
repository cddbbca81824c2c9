/** Progress as text: bars for a terminal, one line for a log. Pure. */

import { duration } from '../core/duration.ts';
import { count, plural, shareOf } from '../core/words.ts';
import { type Column, planWidths, rowLine } from './columns.ts';
import { bytes } from './format.ts';
import { type ProgressState, ratesOf, type TableProgress } from './progress-state.ts';
import { plainText, widthOf, wrap } from './text.ts';
import { NO_VIEW } from './view.ts';
import { waitLines } from './waits.ts';

/** Tables shown with a bar of their own. */
const MAX_TABLE_BARS = 8;

/** Cells of a bar; on narrow terminals numbers need the room. */
const BAR_CELLS = 24;
const NARROW_BAR_CELLS = 10;
const NARROW = 80;

/** The live block: the whole run, each table being read, and why it waits. Nothing is cut but names of tables. */
export function progressBlock(state: ProgressState, now: number, width: number): string[] {
  if (state.tables === 0) return wrap(plainText(progressLine(state, now)), width);
  const ended = endedOf(state);
  const share = known(state) ? state.rows / (state.rowsExpected ?? 1) : ended / Math.max(1, state.tables);
  const cells = width < NARROW ? NARROW_BAR_CELLS : BAR_CELLS;
  // All tables begin at once and wait for their turn; those that have rows are at work.
  const atWork = [...state.running.values()].filter(({ rows, rowsBefore }) => rows > rowsBefore);
  const shown = atWork.slice(0, MAX_TABLE_BARS);
  const facts = [...filled(headline(state), width - cells - 1), ...filled(speeds(state, now), width - cells - 1)];
  return [
    ...facts.map((fact, index) => `${index === 0 ? bar(share, cells) : ' '.repeat(cells)} ${fact}`),
    ...tableBars(shown, cells, width),
    ...(atWork.length > shown.length ? [`  and ${count(atWork.length - shown.length)} more`] : []),
    ...(atEnd(state) ? wrap(state.doing, width) : []),
    ...waitLines(state.waits, now).flatMap(({ text }) => wrap(text, width)),
  ];
}

const TABLE_BAR: readonly Column[] = [
  { title: '', cut: 'middle' },
  { title: '', drop: 1 },
  { title: '', align: 'right' },
];

function tableBars(tables: readonly TableProgress[], cells: number, width: number): string[] {
  const rows = tables.map(({ name, rows: read, rowsExpected }) => [
    `  ${name}`,
    rowsExpected ? bar(read / rowsExpected, cells) : ' '.repeat(cells),
    rowsExpected ? `${count(read)} of ${plural(rowsExpected, 'row')}` : plural(read, 'row'),
  ]);
  const widths = planWidths(TABLE_BAR, rows, width);
  return rows.map((row) => rowLine(row, TABLE_BAR, widths, NO_VIEW));
}

/** One line for logs and pipes. */
export function progressLine(state: ProgressState, now: number): string {
  const facts =
    state.tables === 0
      ? [state.doing, `${duration(now - state.startedAt)} gone`]
      : [...headline(state), ...speeds(state, now), ...(atEnd(state) ? [state.doing] : [])];
  return [...facts, ...waitLines(state.waits, now).map(({ text }) => text)].join(', ');
}

/** Is the number of rows to come known, as far as one can tell by now? */
function known(state: ProgressState): boolean {
  return state.rowsExpected !== null && state.rowsExpected > 0 && state.rows <= state.rowsExpected;
}

function endedOf({ done, failed }: ProgressState): number {
  return done.size + failed.size;
}

/** All tables are read, and what is done now is another work. */
function atEnd(state: ProgressState): boolean {
  return state.tables > 0 && state.running.size === 0 && endedOf(state) >= state.tables;
}

function headline(state: ProgressState): string[] {
  const ended = endedOf(state);
  const failed = state.failed.size === 0 ? '' : ` (${count(state.failed.size)} failed)`;
  const rows = known(state) ? shareOf(state.rows, state.rowsExpected ?? 0, 'row') : plural(state.rows, 'row');
  return [`${shareOf(ended, state.tables, 'table')}${failed}`, rows];
}

function speeds(state: ProgressState, now: number): string[] {
  const { rowsPerSecond, bytesPerSecond, leftMs } = ratesOf(state, now);
  const parts = [
    `${bytes(bytesPerSecond)}/s`,
    `${plural(Math.round(rowsPerSecond), 'row')}/s`,
    `${shareOf(state.inFlight, state.limit, 'request')} in flight`,
    `${duration(now - state.startedAt)} gone`,
  ];
  // Once all tables are read, the rows that failed ones lack come no more.
  if (leftMs !== null && !atEnd(state)) parts.push(`about ${duration(leftMs)} left`);
  return parts;
}

/** The parts one after the other, in as few lines as hold them whole. */
function filled(parts: readonly string[], cells: number): string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const last = lines.pop();
    if (last === undefined) lines.push(part);
    else if (widthOf(`${last}, ${part}`) <= cells) lines.push(`${last}, ${part}`);
    else lines.push(last, part);
  }
  return lines;
}

function bar(share: number, cells: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * cells);
  return '█'.repeat(full) + '░'.repeat(cells - full);
}
