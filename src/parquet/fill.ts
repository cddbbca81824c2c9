/** Column buffers into the vectors of a DuckDB chunk. */
import duckdb from '@duckdb/node-bindings';
import type { Batch, ColumnBuffer } from '../decode/columns.ts';
import { BATCH_ROWS } from '../decode/columns.ts';

/** Bytes of a `duckdb_string_t`: a length, then up to 12 bytes of text, or 4 bytes of it and a pointer. */
const STRING_BYTES = 16;
const INLINE_BYTES = 12;

const strings = new Uint8Array(BATCH_ROWS * STRING_BYTES);
const stringLengths = new Uint32Array(strings.buffer);

/** Copies a batch into an output chunk of a DuckDB table function; the chunk's columns are those of the batch. */
export function fillChunk(chunk: duckdb.DataChunk, batch: Batch): void {
  for (const [index, column] of batch.columns.entries()) {
    const vector = duckdb.data_chunk_get_vector(chunk, index);
    if (column.width > 0) {
      duckdb.copy_data_to_vector(vector, 0, column.bytes.buffer as ArrayBuffer, 0, batch.rows * column.width);
    } else {
      fillStrings(vector, column, batch.rows);
    }
    if (column.nulls > 0) {
      duckdb.vector_ensure_validity_writable(vector);
      const bytes = Math.ceil(batch.rows / 64) * 8;
      duckdb.copy_data_to_vector_validity(vector, 0, column.validity.buffer as ArrayBuffer, 0, bytes);
    }
  }
  duckdb.data_chunk_set_size(chunk, batch.rows);
}

/** Texts of up to 12 bytes stand inside their `duckdb_string_t` and go over in one copy; longer ones are assigned one by one. */
function fillStrings(vector: duckdb.Vector, column: ColumnBuffer, rows: number): void {
  const { offsets, data } = column;
  strings.fill(0, 0, rows * STRING_BYTES);
  let longest = 0;
  for (let row = 0; row < rows; row++) {
    const start = offsets[row]!;
    const length = offsets[row + 1]! - start;
    if (length > longest) longest = length;
    if (length > INLINE_BYTES) continue;
    stringLengths[row * 4] = length;
    const to = row * STRING_BYTES + 4;
    for (let i = 0; i < length; i++) strings[to + i] = data[start + i]!;
  }
  duckdb.copy_data_to_vector(vector, 0, strings.buffer, 0, rows * STRING_BYTES);
  if (longest <= INLINE_BYTES) return;
  for (let row = 0; row < rows; row++) {
    const start = offsets[row]!;
    const end = offsets[row + 1]!;
    if (end - start > INLINE_BYTES) duckdb.vector_assign_string_element_len(vector, row, data.subarray(start, end));
  }
}
