/** What a stream shows its reader: how many columns, and whether in colour. The only place that decides on colour. */
import { styleText } from 'node:util';
import type { Redactor } from './redact.ts';
import { plainText } from './text.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Meanings, not colours: sparing, and never the only sign of what they mean. */
const FORMATS = { error: 'red', warning: 'yellow', ok: 'green', heading: 'bold', aside: 'dim' } as const;

export type Style = keyof typeof FORMATS;

const LABELS: readonly (readonly [label: RegExp, style: Style])[] = [
  [/^(error|failed):/, 'error'],
  [/^warning:/, 'warning'],
];

export interface View {
  /** Columns of the terminal; undefined where there is none: nothing is cut or wrapped there. */
  width(): number | undefined;
  readonly coloured: boolean;
  /** A text as it may be shown: control characters and secrets taken out. Before it is cut or wrapped: half a secret is not known as one. */
  clean(text: string): string;
  /** The text in colour, or as it is. */
  paint(style: Style, text: string): string;
}

/** Where nobody looks: whole lines, no colour. */
export const NO_VIEW: View = {
  width: () => undefined,
  coloured: false,
  clean: plainText,
  paint: (_style, text) => text,
};

/**
 * Colour is for terminals, unless `NO_COLOR`, `NODE_DISABLE_COLORS` or `TERM=dumb` speak against it. `FORCE_COLOR` brings it to messages that
 * go elsewhere too, never to data. `NO_COLOR` wins over everything, and an empty variable counts as not set (https://no-color.org).
 */
export function viewOf(
  stream: NodeJS.WriteStream,
  env: Environment,
  holds: 'data' | 'messages',
  redactor: Redactor,
): View {
  const coloured = hasColour(stream, env, holds);
  return {
    coloured,
    clean: (text) => plainText(redactor.redact(text)),
    width: () => (stream.isTTY === true && stream.columns > 0 ? stream.columns : undefined),
    paint: (style, text) =>
      coloured && text !== '' ? styleText(FORMATS[style], text, { validateStream: false }) : text,
  };
}

function hasColour(stream: NodeJS.WriteStream, env: Environment, holds: 'data' | 'messages'): boolean {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const { NO_COLOR, FORCE_COLOR } = set;
  if (NO_COLOR !== undefined) return false;
  if (stream.isTTY === true) return stream.hasColors?.(set) === true;
  return holds === 'messages' && FORCE_COLOR !== undefined && FORCE_COLOR !== '0' && FORCE_COLOR !== 'false';
}

/** A message with its label in colour, where it begins with one that tells of trouble. */
export function labelled(text: string, view: View): string {
  for (const [pattern, style] of LABELS) {
    const [label] = pattern.exec(text) ?? [];
    if (label !== undefined) return view.paint(style, label) + text.slice(label.length);
  }
  return text;
}
