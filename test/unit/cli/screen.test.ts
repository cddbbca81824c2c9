import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createLog, logEvent, logLevelOf } from '../../../src/cli/log.ts';
import { createRedactor } from '../../../src/cli/redact.ts';
import { createScreen } from '../../../src/cli/screen.ts';
import { Secret } from '../../../src/core/secret.ts';

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
  it('is JSON lines on the screen, from the level that TABLEVAULT_LOG names', () => {
    const { stream, text } = sink(false);
    const log = createLog(logLevelOf({ TABLEVAULT_LOG: 'info' }), createScreen(stream, createRedactor(), {}));
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

  it('cannot print a Secret, and drops known secrets in any text', () => {
    const { stream, text } = sink(false);
    const redactor = createRedactor();
    redactor.add('hunter2hunter2');
    const log = createLog('trace', createScreen(stream, redactor, {}));
    log.info({ secret: new Secret('other-secret'), error: new Error('with hunter2hunter2') }, 'said hunter2hunter2');
    expect(text()).toContain('[secret]');
    expect(text()).not.toMatch(/hunter2|other-secret/);
  });
});
