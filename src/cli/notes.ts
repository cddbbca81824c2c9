/** What a person must be told while a command works, whatever else it shows: warnings, tables that failed, and why it waits. */
import type { Clock } from '../core/clock.ts';
import type { Continued, RunEvent } from '../core/events.ts';
import { plural } from '../core/words.ts';
import { plainText } from './text.ts';
import { NOTABLE_TRIES, retryText, spacedText } from './waits.ts';

/** A shorter pause is not worth a line, ms. */
const NOTABLE_MS = 2_000;
/** A wait or a failure that goes on is told again after this time, ms. */
const AGAIN_MS = 60_000;

export interface Notes {
  /**
   * The line for an event; undefined for an event without one. A wait is told once, and again each minute while it goes on. What is true of
   * several tables in the same words is told of the first.
   */
  of(event: RunEvent): string | undefined;
  /** Lines for what was told of one table and is true of others too; then they are told. */
  rest(): readonly string[];
}

export function createNotes(clock: Pick<Clock, 'now'>): Notes {
  const told = new Map<string, number>();
  const tables = new Map<string, TableNote & { readonly others: Set<string> }>();
  const isNews = (reason: string): boolean => {
    const now = clock.now();
    if (now - (told.get(reason) ?? Number.NEGATIVE_INFINITY) < AGAIN_MS) return false;
    told.set(reason, now);
    return true;
  };
  const ofTable = (note: TableNote): string | undefined => {
    const text = ownWords(note);
    const known = tables.get(`${note.label} ${text}`);
    if (known === undefined) tables.set(`${note.label} ${text}`, { ...note, others: new Set() });
    else if (known.table !== note.table) {
      known.others.add(note.table);
      return undefined;
    }
    return tableLine(note.label, [note.table], text);
  };
  return {
    of(event) {
      switch (event.type) {
        case 'warning':
          if (event.table === undefined) return plainText(`warning: ${event.message}`);
          return ofTable({ label: 'warning', table: event.table, text: event.message });
        case 'tableFailed':
          return ofTable({ label: 'failed', table: event.table, text: event.message });
        case 'continued':
          return plainText(`continuing run ${event.run}: ${continuedText(event)}`);
        case 'notContinued':
          return plainText(`beginning anew: the unfinished run ${event.run} is not continued, because ${event.why}`);
        case 'wait':
          return event.ms >= NOTABLE_MS && isNews(event.reason) ? plainText(`waiting: ${event.reason}`) : undefined;
        case 'retry':
          if (event.tries < NOTABLE_TRIES || !isNews(event.reason)) return undefined;
          return plainText(retryText(event));
        case 'spaced':
          return isNews(event.type) ? spacedText(event.perMinute) : undefined;
        default:
          return undefined;
      }
    },
    rest() {
      const notes = [...tables.values()].filter(({ others }) => others.size > 0);
      tables.clear();
      return notes.map((note) => tableLine(note.label, [...note.others], ownWords(note)));
    },
  };
}

/** What is said of a table; `label` stands before its name, such as `warning`. */
export interface TableNote {
  readonly label: string;
  readonly table: string;
  readonly text: string;
}

/** Notes as lines: one for all tables of which the same is said. */
export function tableLines(notes: readonly TableNote[]): readonly string[] {
  const groups = new Map<string, { label: string; text: string; tables: string[] }>();
  for (const note of notes) {
    const text = ownWords(note);
    const group = groups.get(`${note.label} ${text}`);
    if (group !== undefined) group.tables.push(note.table);
    else groups.set(`${note.label} ${text}`, { label: note.label, text, tables: [note.table] });
  }
  return [...groups.values()].map(({ label, text, tables }) => tableLine(label, tables, text));
}

/** Names are in the line already: a text that begins with the table's own leaves it out. */
function ownWords({ table, text }: TableNote): string {
  if (text.startsWith(`${table}: `)) return text.slice(table.length);
  return text.startsWith(`${table} `) ? text.slice(table.length) : `: ${text}`;
}

function tableLine(label: string, tables: readonly string[], text: string): string {
  // What is said is said of one table: "it has no key", "A is refused".
  return plainText(`${label}: ${tables.length > 1 ? 'each of ' : ''}${tables.join(', ')}${text}`);
}

function continuedText(continued: Continued): string {
  return continued.tasks === 0 ? 'nothing of it is read yet' : `${readText(continued)} are read already`;
}

/** How much an unfinished run had read. */
export function readText({ tables, tablesDone, rows, tasks }: Continued): string {
  return `${plural(rows, 'row')} of ${plural(tables, 'table')} (${plural(tasks, 'task')}, ${plural(tablesDone.length, 'table')} complete)`;
}
