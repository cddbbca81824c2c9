/** Shows a run while it runs: bars at a terminal, a line every few seconds elsewhere. Warnings and failures are lines that stay. */
import type { Clock } from '../core/clock.ts';
import { TablevaultError } from '../core/errors.ts';
import type { RunEvent } from '../core/events.ts';
import { createNotes } from './notes.ts';
import { advance, initialProgress } from './progress-state.ts';
import { progressBlock, progressLine } from './progress-text.ts';
import type { Screen } from './screen.ts';
import { plainText } from './text.ts';
import { waitLines } from './waits.ts';

export type ProgressMode = 'off' | 'bars' | 'plain';

export interface Progress {
  show(event: RunEvent): void;
  /** Removes the bars and stops the timer. */
  end(): void;
}

const BARS_EVERY_MS = 200;

const LINE_EVERY_MS = 5_000;
/**
 * Before there is a plan a line says little, and a wait for a seat may last half an hour: from the first minute on, lines come a tenth as far
 * apart as the run is old.
 */
const OPENING_LINE_EVERY = { share: 0.1, mostMs: 60_000 };

/** How far apart lines that say the same come, ms. */
export function sameLineEveryMs(ageMs: number): number {
  return Math.min(OPENING_LINE_EVERY.mostMs, ageMs * OPENING_LINE_EVERY.share);
}

/** @throws TablevaultError USAGE for a value that does not exist. */
export function progressModeOf(
  env: Readonly<Record<string, string | undefined>>,
  screen: Pick<Screen, 'isTerminal'>,
): ProgressMode {
  const asked = env['TABLEVAULT_PROGRESS']?.trim().toLowerCase() ?? '';
  switch (asked) {
    case '':
    case 'auto':
      return screen.isTerminal && env['TERM'] !== 'dumb' ? 'bars' : 'plain';
    case 'off':
    case 'plain':
      return asked;
    default:
      throw new TablevaultError('USAGE', `TABLEVAULT_PROGRESS=${asked} is not a way to show progress`, {
        hint: 'Use auto, off or plain, or unset it.',
      });
  }
}

export function startProgress(mode: ProgressMode, screen: Screen, clock: Pick<Clock, 'now'>): Progress {
  let state = initialProgress(clock.now());
  const notes = createNotes(clock);
  const startedAt = clock.now();
  let told = { at: Number.NEGATIVE_INFINITY, what: '' };
  /** What is done, and what is waited for: news are told at once. */
  const whatNow = (now: number) => [state.doing, ...waitLines(state.waits, now).map(({ reason }) => reason)].join('\n');
  const isDue = (now: number) =>
    state.tables > 0 || whatNow(now) !== told.what || now - told.at >= sameLineEveryMs(now - startedAt);
  const draw = () => {
    const now = clock.now();
    if (mode === 'bars') screen.live(progressBlock(state, now, screen.width() ?? 80));
    else if (isDue(now)) {
      told = { at: now, what: whatNow(now) };
      screen.line(plainText(progressLine(state, now)));
    }
  };
  const timer = mode === 'off' ? undefined : setInterval(draw, mode === 'bars' ? BARS_EVERY_MS : LINE_EVERY_MS);
  timer?.unref();
  return {
    show: (event) => {
      state = advance(state, event, clock.now());
      const note = notes.of(event);
      if (note !== undefined) screen.line(note);
    },
    end: () => {
      clearInterval(timer);
      screen.clear();
      for (const line of notes.rest()) screen.line(line);
    },
  };
}
