/**
 * Encoded rows in blocks of a thousand: made once and sent as often as asked for, within a bound of memory; tables with a period are made
 * by copying one block and writing keys and versions into it.
 */
import type { RowEncoder } from './encode.ts';
import { BLOCK_ROWS, type RowRef, rowVersionText } from './table.ts';

export interface Block {
  readonly bytes: Buffer;
  /** Where row i of the block begins, and at the end where the last one ends. */
  readonly offsets: Uint32Array;
}

export interface BlockCache {
  /** The bytes of base rows `from` to `to` (in one block, none of them changed), each with a comma before it. */
  slice(encoder: RowEncoder, from: number, to: number): Buffer;
}

/** Where a value that differs from row to row stands in a row of a template. */
interface Template extends Block {
  readonly keyAt: Int32Array;
  readonly versionAt: Int32Array;
}

/** @param maxBytes memory for encoded blocks. */
export function createBlockCache(maxBytes = 96 * 1024 * 1024): BlockCache {
  const blocks = new Map<string, Block>();
  const templates = new Map<string, Template>();
  let held = 0;

  const blockOf = (encoder: RowEncoder, number: number): Block => {
    const id = `${number} ${encoder.signature}`;
    const known = blocks.get(id);
    if (known !== undefined) {
      blocks.delete(id);
      blocks.set(id, known);
      return known;
    }
    const first = number * BLOCK_ROWS;
    const block = encodeBlock(encoder, first, Math.min(first + BLOCK_ROWS, encoder.table.size), (position) =>
      cleanRow(encoder, position),
    );
    blocks.set(id, block);
    held += block.bytes.length;
    for (const [oldest, old] of blocks) {
      if (held <= maxBytes || oldest === id) break;
      blocks.delete(oldest);
      held -= old.bytes.length;
    }
    return block;
  };

  return {
    slice(encoder, from, to) {
      if (encoder.table.period === BLOCK_ROWS && isPatchable(encoder)) {
        let template = templates.get(encoder.signature);
        if (template === undefined) {
          template = encodeTemplate(encoder);
          templates.set(encoder.signature, template);
        }
        return patch(encoder, template, from, to);
      }
      const block = blockOf(encoder, Math.floor(from / BLOCK_ROWS));
      const base = from - (from % BLOCK_ROWS);
      return block.bytes.subarray(block.offsets[from - base], block.offsets[to - base]);
    },
  };
}

function encodeBlock(encoder: RowEncoder, from: number, to: number, rowAt: (position: number) => RowRef): Block {
  const offsets = new Uint32Array(to - from + 1);
  let bytes = Buffer.allocUnsafe(256 * 1024);
  let length = 0;
  for (let position = from; position < to; position++) {
    const text = encoder.encode(rowAt(position));
    // A UTF-16 unit becomes three bytes at most.
    if (bytes.length - length < text.length * 3) {
      const larger = Buffer.allocUnsafe(Math.max(bytes.length * 2, length + text.length * 3));
      bytes.copy(larger, 0, 0, length);
      bytes = larger;
    }
    offsets[position - from] = length;
    length += bytes.write(text, length);
  }
  offsets[to - from] = length;
  return { bytes: Buffer.from(bytes.subarray(0, length)), offsets };
}

function cleanRow(encoder: RowEncoder, position: number): RowRef {
  return encoder.table.rowAt(position, 'sql')!;
}

/** Can key and version be written into copied bytes? */
function isPatchable(encoder: RowEncoder): boolean {
  return encoder.patchable && encoder.table.size >= BLOCK_ROWS && encoder.table.keys[0]?.guids != null;
}

function encodeTemplate(encoder: RowEncoder): Template {
  const block = encodeBlock(encoder, 0, BLOCK_ROWS, (position) => encoder.table.baseRow(position));
  const keyAt = new Int32Array(BLOCK_ROWS);
  const versionAt = new Int32Array(BLOCK_ROWS);
  const keyName = encoder.table.columns[encoder.table.keys[0]!.column]!.name;
  const version = encoder.table.columns.find((column) => column.type.kind === 'rowversion')?.name;
  for (let i = 0; i < BLOCK_ROWS; i++) {
    const row = block.bytes.subarray(block.offsets[i], block.offsets[i + 1]);
    const place = (name: string | undefined, text: string) => {
      if (name === undefined) return -1;
      const at = row.indexOf(`"${name}":"${text}"`);
      return at < 0 ? -1 : block.offsets[i]! + at + name.length + 4;
    };
    const ref = encoder.table.baseRow(i);
    keyAt[i] = place(keyName, String(encoder.table.keyOf(i)[0]));
    versionAt[i] = place(version, rowVersionText(ref.rowVersion));
  }
  return { ...block, keyAt, versionAt };
}

function patch(encoder: RowEncoder, template: Template, from: number, to: number): Buffer {
  const guids = encoder.table.keys[0]!.guids!;
  const base = from - (from % BLOCK_ROWS);
  const start = template.offsets[from - base]!;
  const bytes = Buffer.allocUnsafe(template.offsets[to - base]! - start);
  template.bytes.copy(bytes, 0, start, template.offsets[to - base]);
  for (let position = from; position < to; position++) {
    const keyAt = template.keyAt[position - base]!;
    const versionAt = template.versionAt[position - base]!;
    if (keyAt >= 0) bytes.write(guids.at(position), keyAt - start, 36, 'latin1');
    if (versionAt >= 0)
      bytes.write(rowVersionText(cleanRow(encoder, position).rowVersion), versionAt - start, 12, 'latin1');
  }
  return bytes;
}
