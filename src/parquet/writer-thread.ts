/** A worker thread: turns the bytes of one task after another into Parquet files. See pool.ts for its other end. */
import { type MessagePort, parentPort } from 'node:worker_threads';
import { asTablevaultError, errorToData } from '../core/errors.ts';
import { Mailbox } from './mailbox.ts';
import { RowSource } from './row-source.ts';
import type { FromWriter, TaskSpec } from './task.ts';
import { openParquetWriter, type ParquetWriter } from './writer.ts';

export interface WorkerTask {
  readonly spec: TaskSpec;
  readonly port: MessagePort;
  readonly memory: SharedArrayBuffer;
}

let writer: Promise<ParquetWriter> | undefined;

async function run({ spec, port, memory }: WorkerTask): Promise<void> {
  const send = (message: FromWriter) => port.postMessage(message);
  try {
    writer ??= openParquetWriter();
    const source = new RowSource(spec, new Mailbox(port, memory), send);
    await (await writer).write(spec, source, (part) => send({ type: 'part', part }));
    send({ type: 'done' });
  } catch (thrown) {
    send({ type: 'failed', error: errorToData(asTablevaultError(thrown)) });
  } finally {
    port.close();
  }
}

parentPort?.on('message', (task: WorkerTask) => void run(task));
