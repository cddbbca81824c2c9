/** Rows in a format on their way to an output: the head with the first rows, the tail after the last, and all anew when a read is begun anew. */
import type { Batch } from '../../decode/columns.ts';
import type { RowFormat } from './format.ts';
import type { ExtractOutput } from './output.ts';

export interface RowWriter {
  /** Are small batches as good as large ones? */
  readonly eager: boolean;
  /** Begins a read. What an earlier one gave is taken back; an output that cannot do that throws. */
  begin(): Promise<void>;
  write(batch: Batch): Promise<void>;
  /** All rows are written. */
  end(): Promise<void>;
}

export interface RowWriterOptions {
  readonly output: ExtractOutput;
  readonly createFormat: () => RowFormat;
  /** The error of an output that cannot take back what it was given. */
  readonly cannotTakeBack: () => Error;
  readonly signal: AbortSignal;
}

export function createRowWriter({ output, createFormat, cannotTakeBack, signal }: RowWriterOptions): RowWriter {
  let format = createFormat();
  let headed = false;
  const write = async (chunks: readonly Uint8Array[]) => {
    signal.throwIfAborted();
    for (const chunk of chunks) await output.write(chunk);
  };
  // The head goes out with the first rows, so that a read that fails at once leaves nothing behind.
  const writeHead = async () => {
    if (headed) return;
    headed = true;
    await write(format.head());
  };
  return {
    eager: format.eager,
    async begin() {
      if (!(await output.restart())) throw cannotTakeBack();
      format = createFormat();
      headed = false;
    },
    async write(batch) {
      await writeHead();
      await write(format.rows(batch));
    },
    async end() {
      await writeHead();
      await write(format.tail());
    },
  };
}
