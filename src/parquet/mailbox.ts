/** The far end of a task's channel, in the writer thread. */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { counterOf, slotOf } from './channel.ts';
import type { ToWriter } from './task.ts';

/** The writer's end of a task's channel: waits for the next message without giving up the thread. */
export class Mailbox {
  private readonly port: MessagePort;
  private readonly memory: SharedArrayBuffer;
  private readonly sent: Int32Array;
  private slot = 0;

  constructor(port: MessagePort, memory: SharedArrayBuffer) {
    this.port = port;
    this.memory = memory;
    this.sent = counterOf(memory);
  }

  /** The bytes of the chunk that a message told of; valid until its slot is reported free. */
  chunk(length: number): Uint8Array {
    return slotOf(this.memory, this.slot++).subarray(0, length);
  }

  take(): ToWriter {
    for (;;) {
      const before = Atomics.load(this.sent, 0);
      const received = receiveMessageOnPort(this.port);
      if (received !== undefined) return received.message as ToWriter;
      Atomics.wait(this.sent, 0, before);
    }
  }
}
