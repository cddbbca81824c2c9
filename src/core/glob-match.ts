/**
 * One glob against names, in time in proportion to their lengths multiplied, whatever the glob holds: all ways to match are followed at once
 * (Thompson's construction), none is tried after another.
 */

/** A place in the glob. Without `takes`, it is passed without taking a character. */
interface State {
  readonly takes: ((char: string) => boolean) | undefined;
  readonly next: number[];
}

type Kind = 'open' | 'comma' | 'close';

/**
 * Compiles a glob: `*` any text, `?` one character, `[ab]`, `[a-c]` and `[!ab]` one of (none of) these, `{a,b}` one of these texts, also one in
 * another; `\` takes the meaning from the character after it. What is not closed stands for itself, as does every other character.
 */
export function compileGlob(glob: string): (name: string) => boolean {
  const chars = [...glob];
  const braces = closedBraces(chars);
  const last = chars.lastIndexOf(']');
  const states: State[] = [];
  const add = (takes?: State['takes']) => states.push({ takes, next: [] }) - 1;
  const link = (from: number, to: number) => void states[from]!.next.push(to);
  let tail = add();
  /** Takes one character, once. */
  const one = (takes: (char: string) => boolean) => {
    const taking = add(takes);
    link(tail, taking);
    tail = add();
    link(taking, tail);
  };
  const open: { readonly start: number; readonly end: number }[] = [];
  for (let at = 0; at < chars.length; at += 1) {
    const char = chars[at]!;
    const brace = braces.get(at);
    const set = char === '[' ? classAt(chars, at, last) : undefined;
    if (brace === 'open') {
      open.push({ start: tail, end: add() });
      link(tail, add());
      tail = states.length - 1;
    } else if (brace === 'comma') {
      const { start, end } = open.at(-1)!;
      link(tail, end);
      tail = add();
      link(start, tail);
    } else if (brace === 'close') {
      const { end } = open.pop()!;
      link(tail, end);
      tail = end;
    } else if (set !== undefined) {
      one(set.takes);
      at = set.end;
    } else if (char === '*') {
      const taking = add(() => true);
      link(tail, taking);
      link(taking, tail);
    } else if (char === '?') {
      one(() => true);
    } else {
      const escaped = char === '\\' ? chars[at + 1] : undefined;
      if (escaped !== undefined) at += 1;
      const literal = escaped ?? char;
      one((other) => other === literal);
    }
  }
  const end = tail;
  return (name) => matches(states, end, name);
}

/** Follows every way at once: which places can be reached with the characters so far. */
function matches(states: readonly State[], last: number, name: string): boolean {
  const seenAt = new Int32Array(states.length).fill(-1);
  let step = 0;
  const reach = (from: Iterable<number>): number[] => {
    const reached: number[] = [];
    const open = [...from];
    for (let state = open.pop(); state !== undefined; state = open.pop()) {
      if (seenAt[state] === step) continue;
      seenAt[state] = step;
      reached.push(state);
      const { takes, next } = states[state]!;
      if (takes === undefined) for (const other of next) open.push(other);
    }
    step += 1;
    return reached;
  };
  let current = reach([0]);
  for (const char of name) {
    const after: number[] = [];
    for (const state of current) {
      const { takes, next } = states[state]!;
      if (takes?.(char) === true) for (const other of next) after.push(other);
    }
    if (after.length === 0) return false;
    current = reach(after);
  }
  return current.includes(last);
}

/** A list at its commas, but for those inside of braces that are closed. */
export function splitAtCommas(text: string): readonly string[] {
  const chars = [...text];
  const braces = closedBraces(chars);
  const pieces: string[] = [];
  let begin = 0;
  for (const [at, char] of chars.entries()) {
    if (char !== ',' || braces.get(at) === 'comma') continue;
    pieces.push(chars.slice(begin, at).join(''));
    begin = at + 1;
  }
  return [...pieces, chars.slice(begin).join('')];
}

/** Braces that are closed and hold a comma, and those commas; all others stand for themselves. */
function closedBraces(chars: readonly string[]): ReadonlyMap<number, Kind> {
  const found = new Map<number, Kind>();
  const last = chars.lastIndexOf(']');
  const open: { readonly at: number; readonly commas: number[] }[] = [];
  for (let at = 0; at < chars.length; at += 1) {
    const char = chars[at];
    if (char === '\\') at += 1;
    else if (char === '[') at = classAt(chars, at, last)?.end ?? at;
    else if (char === '{') open.push({ at, commas: [] });
    else if (char === ',') open.at(-1)?.commas.push(at);
    else if (char === '}') {
      const brace = open.pop();
      if (brace === undefined || brace.commas.length === 0) continue;
      found.set(brace.at, 'open').set(at, 'close');
      for (const comma of brace.commas) found.set(comma, 'comma');
    }
  }
  return found;
}

/** The class that begins at a `[`; undefined when it is not closed or empty. @param last where the last `]` stands: none is looked for behind it */
function classAt(chars: readonly string[], at: number, last: number) {
  const negated = chars[at + 1] === '!' || chars[at + 1] === '^';
  const begin = at + (negated ? 2 : 1);
  // A bracket in the first place is one of the characters.
  if (begin + 1 > last) return undefined;
  const end = chars.indexOf(']', begin + 1);
  const singles = new Set<string>();
  const ranges: (readonly [from: string, to: string])[] = [];
  for (let index = begin; index < end; index += 1) {
    const char = chars[index]!;
    const to = chars[index + 1] === '-' && index + 2 < end ? chars[index + 2]! : undefined;
    if (to === undefined) singles.add(char);
    else {
      ranges.push([char, to]);
      index += 2;
    }
  }
  const code = (char: string) => char.codePointAt(0)!;
  const among = (char: string) =>
    singles.has(char) || ranges.some(([from, to]) => code(from) <= code(char) && code(char) <= code(to));
  return { end, takes: (char: string) => among(char) !== negated };
}
