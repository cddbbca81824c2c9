/** The pool of writer threads. */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { TablevaultError } from '../core/errors.ts';
import { packageFile } from '../core/package-files.ts';
import { createChannelMemory } from './channel.ts';
import { ChannelSink, type WriterThread } from './sink.ts';
import type { SinkHooks, TaskSink, TaskSpec } from './task.ts';

/** The decoder makes next to no garbage: a small nursery spares memory in each thread. */
const NURSERY_MB = 4;
/** Threads of libuv's pool where nothing else is said. */
const LIBUV_THREADS = 4;
/** A writer that was told to give up answers within this time, ms, or not at all. */
const CLOSE_MS = 20_000;

/**
 * Worker threads that decode and write. Each takes one task at a time. A writer blocks one thread of libuv's pool while it waits
 * for bytes, so there must be more of those than writers: UV_THREADPOOL_SIZE, which the command line sets to 16.
 */
export class WriterPool {
  /** Writers at most. */
  readonly size: number;
  private readonly idle: WriterThread[] = [];
  private readonly all = new Set<WriterThread>();
  private readonly waiting: ((thread: WriterThread) => void)[] = [];
  /** Tasks that a worker is at. */
  private readonly tasks = new Set<TaskSink>();
  private whenQuiet: (() => void) | undefined;

  /** @param tasks at once at most; there is never more than one writer beyond the cores, since each holds a row group in memory. */
  constructor(tasks: number, threadPoolSize = Number(process.env['UV_THREADPOOL_SIZE']) || LIBUV_THREADS) {
    this.size = Math.max(1, Math.min(tasks, availableParallelism() + 1, threadPoolSize - 2));
  }

  /** A sink for a task, as soon as a writer is free. */
  async open(spec: TaskSpec, hooks: SinkHooks = {}): Promise<TaskSink> {
    const thread = await this.acquire();
    const sink = new ChannelSink(thread, spec, hooks, (usable) => {
      this.tasks.delete(sink);
      this.release(thread, usable);
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
    await Promise.all([...this.all].map(({ worker }) => worker.terminate()));
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

  private async acquire(): Promise<WriterThread> {
    const thread = this.idle.pop();
    if (thread !== undefined) return thread;
    if (this.all.size < this.size) return this.start();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private start(): WriterThread {
    const worker = new Worker(workerFile(), { resourceLimits: { maxYoungGenerationSizeMb: NURSERY_MB } });
    worker.setMaxListeners(0);
    worker.unref();
    const thread = { worker, memory: createChannelMemory() };
    this.all.add(thread);
    return thread;
  }

  private release(thread: WriterThread, usable: boolean): void {
    if (!usable) this.all.delete(thread);
    const next = this.waiting.shift();
    if (next !== undefined) next(usable ? thread : this.start());
    else if (usable) this.idle.push(thread);
  }
}

/** The compiled thread, also when this file itself runs from source (tests): threads take JavaScript only. */
function workerFile(): string {
  const built = packageFile('dist/writer-thread.js');
  if (existsSync(built)) return built;
  throw new TablevaultError('BUG', 'the writer thread is not built', { hint: 'Run `npm run build`.' });
}
