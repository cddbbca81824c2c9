import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createLog, logEvent, logLevelOf } from '../../../src/cli/log.ts';
import { createRedactor } from '../../../src/cli/redact.ts';
import { createScreen } from '../../../src/cli/screen.ts';
import { viewOf } from '../../../src/cli/view.ts';
import { Secret } from '../../../src/core/secret.ts';
import { memoryTerminal } from '../../support/terminal.ts';

/** A real stream in place of standard error that keeps what is written. */
function sink(isTTY: boolean) {
  const chunks: string[] = [];
  const stream = new Writable({
    write: (chunk, _encoding, done) => {
      chunks.push(String(chunk));
      done();
    },
  });
  return {
    stream: Object.assign(stream, { isTTY, columns: 80, rows: 24 }) as unknown as NodeJS.WriteStream,
    text: () => chunks.join(''),
  };
}

describe('the screen', () => {
  it('writes lines without any control sequence where there is no terminal, and no bars', () => {
    const { stream, text } = sink(false);
    const screen = createScreen(stream, createRedactor(), {});
    screen.live(['bar']);
    screen.line('one');
    screen.live(['bar']);
    screen.clear();
    expect(text()).toBe('one\n');
  });

  it('keeps lines above the live block at a terminal', () => {
    const { stream, text } = sink(true);
    const screen = createScreen(stream, createRedactor(), {});
    screen.live(['bar 1']);
    screen.line('stays');
    const written = text();
    expect(written.indexOf('bar 1')).toBeLessThan(written.indexOf('stays\n'));
    expect(written.lastIndexOf('bar 1')).toBeGreaterThan(written.indexOf('stays\n'));
  });

  it.each([
    [100, 60],
    [100, 31],
    [60, 100],
  ])('leaves nothing behind when the terminal goes from %i to %i columns', (before, after) => {
    const terminal = memoryTerminal(before);
    const screen = createScreen(terminal.stream, createRedactor(), {});
    const block = (width: number) => ['bar', 'long', 'end'].map((word) => word.padEnd(width, '.'));
    screen.line('first');
    screen.live(block(before));
    terminal.resize(after);
    screen.live(block(after));
    expect(terminal.rows()).toEqual(['first', ...block(after)]);
    terminal.resize(before);
    screen.line('second');
    expect(terminal.rows().slice(0, 2)).toEqual(['first', 'second']);
    expect(terminal.rows()).toHaveLength(2 + 3);
    terminal.resize(after);
    screen.clear();
    expect(terminal.rows()).toEqual(['first', 'second']);
  });

  it('cuts a block that is wider or higher than the terminal, since it could not be taken away again', () => {
    const terminal = memoryTerminal(20, { rows: 4 });
    const screen = createScreen(terminal.stream, createRedactor(), {});
    screen.live(Array.from({ length: 9 }, (_, n) => `${n} ${'日'.repeat(20)}`));
    expect(terminal.rows()).toHaveLength(3);
    for (const row of terminal.rows()) expect(row).toMatch(/^\d 日{8}…$/);
  });

  it('wraps messages between words, keeps their indentation, and leaves lines for machines as they are', () => {
    const terminal = memoryTerminal(20);
    const screen = createScreen(terminal.stream, createRedactor(), {});
    screen.line('  one two three four five');
    screen.verbatim('{"level":"info","msg":"more than twenty"}');
    expect(terminal.written()).toBe('  one two three four\n  five\n{"level":"info","msg":"more than twenty"}\n');
  });

  it('takes a secret out before it wraps, so that no part of it stays', () => {
    const terminal = memoryTerminal(20);
    const redactor = createRedactor();
    redactor.add('correct horse battery');
    createScreen(terminal.stream, redactor, {}).line('it is correct horse battery');
    expect(terminal.written()).toBe('it is [secret]\n');
  });

  it('shows the label of errors and warnings in colour at a terminal, and elsewhere only when FORCE_COLOR asks', () => {
    const terminal = memoryTerminal(80, { colours: true });
    createScreen(terminal.stream, createRedactor(), {}).line('error: no. [USAGE, exit 2]');
    createScreen(terminal.stream, createRedactor(), {}).line('an error: no');
    createScreen(terminal.stream, createRedactor(), { NO_COLOR: '1' }).line('warning: no');
    expect(terminal.written()).toBe('\u001b[31merror:\u001b[39m no. [USAGE, exit 2]\nan error: no\nwarning: no\n');
    const { stream, text } = sink(false);
    createScreen(stream, createRedactor(), {}).line('error: a');
    createScreen(stream, createRedactor(), { FORCE_COLOR: '0' }).line('error: b');
    createScreen(stream, createRedactor(), { FORCE_COLOR: '1' }).line('error: c');
    expect(text()).toBe('error: a\nerror: b\n\u001b[31merror:\u001b[39m c\n');
  });

  it.each([
    [{ NO_COLOR: '1', FORCE_COLOR: '1' }, false, false],
    [{ NO_COLOR: '1' }, false, false],
    [{ NO_COLOR: '', FORCE_COLOR: '1' }, true, true],
    [{ NO_COLOR: '' }, true, false],
    [{ NO_COLOR: '', FORCE_COLOR: '' }, true, false],
  ])('with %o is coloured at a terminal: %s, elsewhere: %s', (env, atTerminal, elsewhere) => {
    const terminal = memoryTerminal(80, { colours: true });
    const pipe = sink(false);
    expect(createScreen(terminal.stream, createRedactor(), env).coloured).toBe(atTerminal);
    expect(createScreen(pipe.stream, createRedactor(), env).coloured).toBe(elsewhere);
    expect(viewOf(pipe.stream, env, 'data', createRedactor()).coloured).toBe(false);
  });

  it('takes known secrets out of lines and bars', () => {
    const { stream, text } = sink(true);
    const redactor = createRedactor();
    redactor.add('hunter2hunter2');
    const screen = createScreen(stream, redactor, {});
    screen.line('line hunter2hunter2');
    screen.live(['bar hunter2hunter2']);
    expect(text()).not.toContain('hunter2');
  });
});

describe('the log', () => {
  it('is JSON lines on the screen, from the level that TABLEVAULT_LOG names', async () => {
    const { stream, text } = sink(false);
    const log = await createLog(logLevelOf({ TABLEVAULT_LOG: 'info' }), createScreen(stream, createRedactor(), {}));
    logEvent(log, { type: 'wait', reason: '429', ms: 5 });
    logEvent(log, { type: 'inFlight', requests: 1, limit: 2 });
    const lines = text().trim().split('\n');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'info', ms: 5, msg: 'waiting: 429' });
  });

  it('is silent by default and refuses a level that does not exist', () => {
    expect(logLevelOf({})).toBe('silent');
    expect(() => logLevelOf({ TABLEVAULT_LOG: 'verbose' })).toThrow(/TABLEVAULT_LOG=verbose/);
  });

  it('cannot print a Secret, and drops known secrets in any text', async () => {
    const { stream, text } = sink(false);
    const redactor = createRedactor();
    redactor.add('hunter2hunter2');
    const log = await createLog('trace', createScreen(stream, redactor, {}));
    log.info({ secret: new Secret('other-secret'), error: new Error('with hunter2hunter2') }, 'said hunter2hunter2');
    expect(text()).toContain('[secret]');
    expect(text()).not.toMatch(/hunter2|other-secret/);
  });
});
