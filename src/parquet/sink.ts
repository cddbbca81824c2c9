/** The near end of a task's channel to its writer thread: bytes go over in shared memory, answers come back as messages. */
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import { errorFromData, TablevaultError } from '../core/errors.ts';
import type { Key } from '../core/key-order.ts';
import type { PageFacts } from '../decode/reader.ts';
import { counterOf, SLOT_BYTES, SLOTS, slotOf } from './channel.ts';
import type { FromWriter, LocalPart, SinkHooks, TaskSink, TaskSpec, ToWriter } from './task.ts';
import type { WorkerTask } from './writer-thread.ts';

/** What a sender waits for: a free slot, the end of a response, the end of the task. */
interface Answers {
  credit: undefined;
  page: PageFacts;
  done: undefined;
}

interface Waiter {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/** A worker with the memory that it shares with this thread, for one task after another. */
export interface WriterThread {
  readonly worker: Worker;
  readonly memory: SharedArrayBuffer;
}

/**
 * The sink of one task on a writer thread.
 * @param release called once when the task is over; `usable` says whether the thread may take another
 */
export class ChannelSink implements TaskSink {
  private readonly thread: WriterThread;
  private readonly spec: TaskSpec;
  private readonly hooks: SinkHooks;
  private readonly release: (usable: boolean) => void;
  private readonly port: MessagePort;
  private readonly sent: Int32Array;
  private readonly waiting = new Map<keyof Answers, Waiter>();
  private readonly parts: LocalPart[] = [];
  private next = 0;
  private slot: Uint8Array;
  /** Bytes in the slot that is being filled. */
  private filled = 0;
  /** Slots that the writer has not reported free. */
  private underway = 0;
  private failure: Error | undefined;
  private over = false;

  constructor(thread: WriterThread, spec: TaskSpec, hooks: SinkHooks, release: (usable: boolean) => void) {
    const { port1, port2 } = new MessageChannel();
    const { worker, memory } = thread;
    this.thread = thread;
    this.spec = spec;
    this.hooks = hooks;
    this.release = release;
    this.port = port1;
    this.sent = counterOf(memory);
    this.slot = slotOf(memory, this.next);
    port1.on('message', this.receive);
    worker.on('error', this.onError);
    worker.on('exit', this.onExit);
    worker.postMessage({ spec, port: port2, memory } satisfies WorkerTask, [port2]);
  }

  begin(exclude: Key | null, remembers = false): void {
    this.filled = 0;
    this.post({ type: 'begin', exclude, remembers });
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    for (let at = 0; at < bytes.length; ) {
      if (this.underway >= SLOTS) await this.answer('credit');
      const take = Math.min(bytes.length - at, SLOT_BYTES - this.filled);
      this.slot.set(bytes.subarray(at, at + take), this.filled);
      this.filled += take;
      at += take;
      if (this.filled === SLOT_BYTES) this.flush();
    }
  }

  end(): Promise<PageFacts> {
    this.flush();
    this.post({ type: 'end' });
    return this.answer('page');
  }

  async finish(): Promise<readonly LocalPart[]> {
    this.post({ type: 'finish' });
    await this.answer('done');
    return this.parts;
  }

  abort(): void {
    this.post({ type: 'abort' });
    this.failure ??= new TablevaultError('INTERRUPTED', `the reading of ${this.spec.table} was given up`);
  }

  private flush(): void {
    if (this.filled === 0) return;
    this.underway++;
    this.post({ type: 'chunk', length: this.filled });
    this.slot = slotOf(this.thread.memory, ++this.next);
    this.filled = 0;
  }

  private post(message: ToWriter): void {
    if (this.over) return;
    this.port.postMessage(message);
    Atomics.add(this.sent, 0, 1);
    Atomics.notify(this.sent, 0);
  }

  /** Waits for an answer; a failure of the task rejects whatever is waited for. */
  private answer<K extends keyof Answers>(kind: K): Promise<Answers[K]> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => this.waiting.set(kind, { resolve, reject }));
  }

  private answered<K extends keyof Answers>(kind: K, value: Answers[K]): void {
    const waiter = this.waiting.get(kind);
    this.waiting.delete(kind);
    waiter?.resolve(value as never);
  }

  private readonly receive = (message: FromWriter): void => {
    switch (message.type) {
      case 'progress':
        this.underway -= message.slots;
        if (message.rows > 0) this.hooks.onRows?.(message.rows);
        if (this.underway < SLOTS) this.answered('credit', undefined);
        return;
      case 'unknown':
        this.hooks.onUnknown?.(message.property);
        return;
      case 'page':
        this.answered('page', message.page);
        return;
      case 'part':
        this.parts.push(message.part);
        return;
      case 'done':
        this.close(true);
        this.answered('done', undefined);
        return;
      case 'failed':
        this.fail(errorFromData(message.error), true);
        return;
    }
  };

  private readonly onError = (error: Error): void =>
    this.fail(new TablevaultError('BUG', `a writer thread failed: ${error.message}`, { cause: error }), false);

  private readonly onExit = (): void => this.fail(new TablevaultError('BUG', 'a writer thread ended by itself'), false);

  private fail(error: Error, usable: boolean): void {
    const failure = this.failure ?? error;
    this.failure = failure;
    this.close(usable);
    for (const waiter of this.waiting.values()) waiter.reject(failure);
    this.waiting.clear();
  }

  private close(usable: boolean): void {
    if (this.over) return;
    this.over = true;
    this.thread.worker.off('error', this.onError);
    this.thread.worker.off('exit', this.onExit);
    this.port.close();
    this.release(usable);
  }
}
