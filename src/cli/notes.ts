/** What a person must be told while a command works, whatever else it shows: warnings, tables that failed, and why it waits. */
import type { Clock } from '../core/clock.ts';
import type { Continued, RunEvent } from '../core/events.ts';
import { plural } from '../core/words.ts';
import { plainText } from './text.ts';

/** A shorter pause is not worth a line, ms. */
const NOTABLE_MS = 2_000;
/** A wait that goes on is told again after this time, ms. */
const AGAIN_MS = 60_000;

/** The line for an event; undefined for an event without one. A wait is told once, and again each minute while it goes on. */
export function createNotes(clock: Pick<Clock, 'now'>): (event: RunEvent) => string | undefined {
  const told = new Map<string, number>();
  return (event) => {
    switch (event.type) {
      case 'warning':
        return plainText(`warning: ${event.table === undefined ? '' : `${event.table}: `}${event.message}`);
      case 'tableFailed':
        return plainText(`failed: ${event.table}: ${event.message}`);
      case 'continued':
        return plainText(`continuing run ${event.run}: ${continuedText(event)} are read already`);
      case 'wait': {
        const now = clock.now();
        if (event.ms < NOTABLE_MS || now - (told.get(event.reason) ?? Number.NEGATIVE_INFINITY) < AGAIN_MS)
          return undefined;
        told.set(event.reason, now);
        return plainText(`waiting: ${event.reason}`);
      }
      default:
        return undefined;
    }
  };
}

/** How much an unfinished run had read. */
export function continuedText({ tables, rows, tasks }: Continued): string {
  return `${plural(tables, 'table')}, ${plural(rows, 'row')} and ${plural(tasks, 'task')}`;
}
