/** Writing to what is no regular file: a pipe, a device, an open file. What was written cannot be taken back. */
import { constants, open } from 'node:fs';
import { type FileHandle, open as openHandle } from 'node:fs/promises';
import { Socket } from 'node:net';
import { promisify } from 'node:util';
import type { Clock } from '../../core/clock.ts';
import { TablevaultError } from '../../core/errors.ts';

export interface Through {
  write(chunk: Uint8Array): Promise<void>;
  /** All is written. */
  end(): Promise<void>;
  /** Gives it up; never throws. */
  close(): Promise<void>;
}

export interface ThroughDeps {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Time between two looks whether somebody reads a pipe. */
const READER_EVERY_MS = 100;

/** As `>>` of a shell does: at the end of what is there. */
export async function throughHandle(path: string): Promise<Through> {
  const file: FileHandle = await openHandle(path, constants.O_WRONLY | constants.O_APPEND);
  return {
    write: (chunk) => file.writeFile(chunk),
    end: () => file.close(),
    close: () => file.close().catch(() => undefined),
  };
}

/**
 * A pipe with a name, once somebody reads it. Neither the opening nor a write holds a thread while its reader takes its time: no signal
 * would end the process then.
 */
export async function throughPipe(path: string, { clock, signal }: ThroughDeps): Promise<Through> {
  const socket = new Socket({ fd: await openForReader(path, clock, signal), readable: false, writable: true });
  // Each write tells it to whoever waits for it.
  socket.on('error', () => undefined);
  const onAbort = () => void socket.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  const asked = (ask: (done: (error?: Error | null) => void) => void) =>
    new Promise<void>((taken, failed) => {
      ask((error) => {
        // A write that was under way when the socket was destroyed may be called done.
        if (signal.aborted) failed(signal.reason);
        else if (error) failed(pipeFault(path, error));
        else taken();
      });
    });
  return {
    write: (chunk) => asked((done) => void socket.write(chunk, done)),
    async end() {
      await asked((done) => void socket.end(done));
      signal.removeEventListener('abort', onAbort);
    },
    async close() {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
    },
  };
}

/** @returns a file descriptor */
async function openForReader(path: string, clock: Clock, signal: AbortSignal): Promise<number> {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK;
  while (true) {
    try {
      return await promisify(open)(path, flags);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
    }
    await clock.sleep(READER_EVERY_MS, signal);
  }
}

function pipeFault(path: string, error: Error): Error {
  if ((error as NodeJS.ErrnoException).code !== 'EPIPE') return error;
  return new TablevaultError('DESTINATION_UNREACHABLE', `the reader of the pipe ${path} has gone`, {
    cause: error,
    hint: 'It holds a part of the table at most: start its reader again, then this command.',
  });
}
