/** What every benchmark program shares: its arguments, where its result goes, and what it says on the way. */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

export interface Run {
  /** Small sizes: shows that the program works, not how fast anything is. */
  readonly smoke: boolean;
  /** A line for whoever watches, to standard error. */
  say(line: string): void;
}

/** Runs a program: `node decode.js [--smoke] [--out FILE]`. The result is JSON, to the file or to standard output. */
export async function program(name: string, run: (context: Run) => Promise<unknown>): Promise<void> {
  const { values } = parseArgs({ options: { smoke: { type: 'boolean', default: false }, out: { type: 'string' } } });
  const say = (line: string) => void process.stderr.write(`${name}: ${line}\n`);
  const text = `${JSON.stringify(await run({ smoke: values.smoke, say }), rounded, 2)}\n`;
  if (values.out === undefined) process.stdout.write(text);
  else await writeFile(values.out, text);
}

/** Four significant digits: more would only pretend. Whole numbers (rows, bytes, requests) stay as they are. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}

/** Fails the benchmark when a contestant did not do all of the work. */
export function assertSame(what: string, got: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(got), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: got ${a}, expected ${b}`);
}
