import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { errorFromData, TablevaultError } from '../core/errors.ts';
import type { Guid } from '../core/guid.ts';
import { counterOf, createChannelMemory, SLOT_BYTES, SLOTS, slotOf } from './channel.ts';
import type { FromWriter, LocalPart, PageEnd, TaskSpec, ToWriter } from './task.ts';
import type { WorkerTask } from './worker.ts';

/** The decoder makes next to no garbage: a small nursery spares memory in each thread. */
const NURSERY_MB = 4;
/** A writer that was told to give up answers within this time, ms, or not at all. */
const CLOSE_MS = 20_000;

export interface SinkHooks {
  /** Rows decoded since the last call. */
  readonly onRows?: (rows: number) => void;
  /** A property that no column is named for; once each. */
  readonly onUnknown?: (property: string) => void;
  /** A part is finished; called in order. */
  readonly onPart?: (part: LocalPart) => void;
}

/** Where one task's responses go: each is `begin`, any number of `write`, `end`; then `finish` gives the parts. */
export interface TaskSink {
  /** Begins a response. A row with the key `exclude` is left out: it came with the range before. */
  begin(exclude: Guid | null): void;
  /** Bytes of the body; resolves when more may come. The bytes are copied. */
  write(bytes: Uint8Array): Promise<void>;
  /** The body has ended: resolves once it is decoded, rejects when it was not complete and valid. */
  end(): Promise<PageEnd>;
  /** No more responses: the parts, at least one. */
  finish(): Promise<readonly LocalPart[]>;
  /** Gives the task up; its files are removed. */
  abort(): void;
}

/**
 * Worker threads that decode and write. Each takes one task at a time. A writer blocks one thread of libuv's pool while it waits
 * for bytes, so there must be more of those than writers: UV_THREADPOOL_SIZE, which the command line sets to 16.
 */
export class WriterPool {
  private readonly size: number;
  private readonly idle: Worker[] = [];
  private readonly all = new Set<Worker>();
  /** Of each worker, for one task after another. */
  private readonly memory = new WeakMap<Worker, SharedArrayBuffer>();
  private readonly waiting: ((worker: Worker) => void)[] = [];
  /** Tasks that a worker is at. */
  private readonly tasks = new Set<TaskSink>();
  private whenQuiet: (() => void) | undefined;

  /** @param tasks at once at most; there is never more than one writer beyond the cores, since each holds a row group in memory. */
  constructor(tasks: number, threadPoolSize = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4)) {
    this.size = Math.max(1, Math.min(tasks, availableParallelism() + 1, threadPoolSize - 2));
  }

  /** A sink for a task, as soon as a writer is free. */
  async open(spec: TaskSpec, hooks: SinkHooks = {}): Promise<TaskSink> {
    const worker = await this.acquire();
    const sink = createSink(worker, this.memoryOf(worker), spec, hooks, (usable) => {
      this.tasks.delete(sink);
      this.release(worker, usable);
      if (this.tasks.size === 0) this.whenQuiet?.();
    });
    this.tasks.add(sink);
    return sink;
  }

  /**
   * Ends all workers. Tasks that are under way are given up first, and waited for: a thread that is ended while the engine is in it takes
   * the whole process with it.
   */
  async close(): Promise<void> {
    this.waiting.length = 0;
    for (const task of this.tasks) task.abort();
    await this.quiet();
    await Promise.all([...this.all].map((worker) => worker.terminate()));
    this.all.clear();
    this.idle.length = 0;
  }

  private async quiet(): Promise<void> {
    if (this.tasks.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, CLOSE_MS);
      this.whenQuiet = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private memoryOf(worker: Worker): SharedArrayBuffer {
    const memory = this.memory.get(worker) ?? createChannelMemory();
    this.memory.set(worker, memory);
    return memory;
  }

  private async acquire(): Promise<Worker> {
    const worker = this.idle.pop();
    if (worker !== undefined) return worker;
    if (this.all.size < this.size) return this.start();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private start(): Worker {
    const worker = new Worker(workerFile(), { resourceLimits: { maxYoungGenerationSizeMb: NURSERY_MB } });
    worker.setMaxListeners(0);
    worker.unref();
    this.all.add(worker);
    return worker;
  }

  private release(worker: Worker, usable: boolean): void {
    if (!usable) this.all.delete(worker);
    const next = this.waiting.shift();
    if (next !== undefined) next(usable ? worker : this.start());
    else if (usable) this.idle.push(worker);
  }
}

/** The compiled worker, also when this file itself runs from source (tests): threads take JavaScript only. */
function workerFile(): string {
  const own = fileURLToPath(new URL('./worker.js', import.meta.url));
  if (existsSync(own)) return own;
  const built = fileURLToPath(new URL('../../dist/parquet/worker.js', import.meta.url));
  if (existsSync(built)) return built;
  throw new TablevaultError('BUG', 'the writer thread is not built', { hint: 'Run `npm run build`.' });
}

function createSink(
  worker: Worker,
  memory: SharedArrayBuffer,
  spec: TaskSpec,
  hooks: SinkHooks,
  release: (usable: boolean) => void,
): TaskSink {
  const { port1: port, port2 } = new MessageChannel();
  const sent = counterOf(memory);
  const parts: LocalPart[] = [];
  let next = 0;
  let slot = slotOf(memory, next);
  /** Bytes in the slot that is being filled. */
  let filled = 0;
  /** Slots that the writer has not reported free. */
  let underway = 0;
  let failure: Error | undefined;
  let ended = false;
  let waiter: Deferred<unknown> | undefined;
  let wants: 'credit' | 'page' | 'done' | undefined;

  const post = (message: ToWriter) => {
    if (ended) return;
    port.postMessage(message);
    Atomics.add(sent, 0, 1);
    Atomics.notify(sent, 0);
  };
  const close = (usable: boolean) => {
    if (ended) return;
    ended = true;
    worker.off('error', onError);
    worker.off('exit', onExit);
    port.close();
    release(usable);
  };
  const settle = (kind: typeof wants, value: unknown) => {
    if (wants !== kind) return;
    const { resolve } = waiter!;
    waiter = wants = undefined;
    resolve(value);
  };
  const fail = (error: Error, usable: boolean) => {
    failure ??= error;
    close(usable);
    const pending = waiter;
    waiter = wants = undefined;
    pending?.reject(failure);
  };
  const onError = (error: Error) =>
    fail(new TablevaultError('BUG', `a writer thread failed: ${error.message}`, { cause: error }), false);
  const onExit = () => fail(new TablevaultError('BUG', 'a writer thread ended by itself'), false);
  const wait = <T>(kind: NonNullable<typeof wants>): Promise<T> => {
    if (failure !== undefined) return Promise.reject(failure);
    waiter = deferred<unknown>();
    wants = kind;
    return waiter.promise as Promise<T>;
  };
  const receive = (message: FromWriter) => {
    switch (message.type) {
      case 'progress':
        underway -= message.slots;
        if (message.rows > 0) hooks.onRows?.(message.rows);
        if (underway < SLOTS) settle('credit', undefined);
        return;
      case 'unknown':
        hooks.onUnknown?.(message.property);
        return;
      case 'page':
        settle('page', message.page);
        return;
      case 'part':
        parts.push(message.part);
        hooks.onPart?.(message.part);
        return;
      case 'done':
        close(true);
        settle('done', undefined);
        return;
      case 'failed':
        fail(errorFromData(message.error), true);
        return;
    }
  };
  const flush = () => {
    if (filled === 0) return;
    underway++;
    post({ type: 'chunk', length: filled });
    slot = slotOf(memory, ++next);
    filled = 0;
  };

  port.on('message', receive);
  worker.on('error', onError);
  worker.on('exit', onExit);
  worker.postMessage({ spec, port: port2, memory } satisfies WorkerTask, [port2 as MessagePort]);

  return {
    begin(exclude) {
      filled = 0;
      post({ type: 'begin', exclude });
    },
    async write(bytes) {
      if (failure !== undefined) throw failure;
      for (let at = 0; at < bytes.length; ) {
        if (underway >= SLOTS) await wait<void>('credit');
        const take = Math.min(bytes.length - at, SLOT_BYTES - filled);
        slot.set(bytes.subarray(at, at + take), filled);
        filled += take;
        at += take;
        if (filled === SLOT_BYTES) flush();
      }
    },
    async end() {
      flush();
      post({ type: 'end' });
      return wait<PageEnd>('page');
    },
    async finish() {
      post({ type: 'finish' });
      await wait<void>('done');
      return parts;
    },
    abort() {
      post({ type: 'abort' });
      failure ??= new TablevaultError('INTERRUPTED', `the reading of ${spec.table} was given up`);
    },
  };
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
