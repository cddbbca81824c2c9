import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { ToWriter } from './task.ts';

/** The writer's end of a task's channel: waits for the next message without giving up the thread. */
export class Mailbox {
  private readonly port: MessagePort;
  /** Counts messages sent; the sender adds one and notifies after each. */
  private readonly sent: Int32Array;

  constructor(port: MessagePort, sent: Int32Array) {
    this.port = port;
    this.sent = sent;
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
