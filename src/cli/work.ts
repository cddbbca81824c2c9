/** Says what a command is at while nothing else is seen of it: a line in place at a terminal, a line now and then elsewhere. */
import { duration } from '../core/duration.ts';
import type { Emit } from '../core/events.ts';
import type { CliContext } from './context.ts';
import { logEvent } from './log.ts';
import { createNotes } from './notes.ts';
import { progressModeOf, sameLineEveryMs } from './progress.ts';
import { plainText, wrap } from './text.ts';
import { NO_WAITS, waitLines, waitsAfter } from './waits.ts';

/** How every command that reads the instance begins. */
export const OPENING_INSTANCE = 'opening the instance';

/** Silence that needs no word, ms. */
const QUIET_MS = 2_000;
/** Where a line stays, it is told again after this time at the soonest, ms. */
const AGAIN_MS = 4_500;
const LOOK_EVERY_MS = 500;

export interface Work {
  /** Takes what happens: to the log, and what must be told to the screen. `doing` names the work from then on. */
  readonly emit: Emit;
  /** Something was shown elsewhere: the silence begins anew. */
  heard(): void;
  /** Removes what is shown and stops the timer. */
  end(): void;
}

/**
 * Watches over a command that has no progress of its own. `TABLEVAULT_PROGRESS=off` leaves warnings and waits alone.
 *
 * @param first what is done at the beginning: "opening the instance"
 * @throws TablevaultError USAGE for a `TABLEVAULT_PROGRESS` that does not exist
 */
export function startWork(
  { clock, env, log, screen }: Pick<CliContext, 'clock' | 'env' | 'log' | 'screen'>,
  first: string,
): Work {
  const mode = progressModeOf(env, screen);
  const notes = createNotes(clock);
  const startedAt = clock.now();
  let what = first;
  let heardAt = startedAt;
  let waits = NO_WAITS;
  let told = { at: Number.NEGATIVE_INFINITY, what: '', reasons: '' };
  /** A new thing is told soon, the same more and more seldom. */
  const againMs = (now: number) =>
    what === told.what ? Math.max(AGAIN_MS, sameLineEveryMs(now - startedAt)) : AGAIN_MS;
  const look = () => {
    const now = clock.now();
    if (now - heardAt < QUIET_MS) return;
    const lines = waitLines(waits, now);
    const text = plainText(
      [`${what}, ${duration(now - startedAt)} gone`, ...lines.map((line) => line.text)].join(', '),
    );
    const reasons = lines.map(({ reason }) => reason).join('\n');
    if (mode === 'bars') screen.live(wrap(text, screen.width() ?? 80));
    else if (reasons !== told.reasons || now - told.at >= againMs(now)) {
      told = { at: now, what, reasons };
      screen.line(text);
    }
  };
  const heard = () => {
    heardAt = clock.now();
  };
  const timer = mode === 'off' ? undefined : setInterval(look, LOOK_EVERY_MS);
  timer?.unref();
  return {
    emit: (event) => {
      logEvent(log, event);
      waits = waitsAfter(waits, event, clock.now());
      if (event.type === 'doing') what = event.what;
      const note = notes.of(event);
      if (note === undefined) return;
      screen.line(note);
      heard();
    },
    heard: () => {
      screen.clear();
      heard();
    },
    end: () => {
      clearInterval(timer);
      screen.clear();
      for (const line of notes.rest()) screen.line(line);
    },
  };
}
