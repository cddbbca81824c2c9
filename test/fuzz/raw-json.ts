/**
 * JSON as a tree that keeps what `JSON.parse` loses: the digits of numbers, the text of values, members that come twice. `JSON.parse` says
 * whether a text is JSON at all; this reader, which is given valid JSON alone, has nothing of the decoder's.
 */

export type RawJson =
  | { readonly kind: 'null' | 'boolean' | 'number'; readonly text: string }
  | { readonly kind: 'string'; readonly text: string; readonly value: string }
  | { readonly kind: 'array'; readonly text: string; readonly items: readonly RawJson[]; readonly depth: number }
  | {
      readonly kind: 'object';
      readonly text: string;
      readonly members: readonly (readonly [string, RawJson])[];
      readonly depth: number;
    };

/** The tree of a body, or undefined where its bytes are not one JSON value in UTF-8. */
export function parseRaw(body: Uint8Array): RawJson | undefined {
  let text: string;
  try {
    // A byte order mark before the body is taken away here, once.
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    JSON.parse(text);
  } catch {
    return undefined;
  }
  const at = { text, pos: 0 };
  space(at);
  return value(at);
}

interface Reader {
  readonly text: string;
  pos: number;
}

const STRING = /"(?:[^"\\]|\\.)*"/suy;
const SCALAR = /[^\s,\]}]+/y;
const SPACE = /[ \t\r\n]*/y;

function token(at: Reader, pattern: RegExp): string {
  pattern.lastIndex = at.pos;
  const found = pattern.exec(at.text)?.[0] ?? '';
  at.pos += found.length;
  return found;
}

function space(at: Reader): void {
  token(at, SPACE);
}

function value(at: Reader): RawJson {
  const start = at.pos;
  const first = at.text[at.pos];
  if (first === '"') {
    const text = token(at, STRING);
    return { kind: 'string', text, value: JSON.parse(text) as string };
  }
  if (first === '[' || first === '{') return nested(at, start, first);
  const text = token(at, SCALAR);
  return { kind: text === 'null' ? 'null' : text === 'true' || text === 'false' ? 'boolean' : 'number', text };
}

function nested(at: Reader, start: number, first: '[' | '{'): RawJson {
  const members: [string, RawJson][] = [];
  at.pos++;
  space(at);
  while (at.text[at.pos] !== ']' && at.text[at.pos] !== '}') {
    let name = '';
    if (first === '{') {
      name = JSON.parse(token(at, STRING)) as string;
      space(at);
      at.pos++;
      space(at);
    }
    members.push([name, value(at)]);
    space(at);
    if (at.text[at.pos] === ',') at.pos++;
    space(at);
  }
  at.pos++;
  const text = at.text.slice(start, at.pos);
  const depth = 1 + members.reduce((most, [, inner]) => Math.max(most, 'depth' in inner ? inner.depth : 0), 0);
  return first === '['
    ? { kind: 'array', text, items: members.map(([, item]) => item), depth }
    : { kind: 'object', text, members, depth };
}
