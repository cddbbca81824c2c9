/**
 * The memory that carries a task's bytes from the thread that receives them to the one that writes: a few slots used in turn, and a
 * counter to wait on. Nothing is allocated while bytes flow, on either side.
 */

/** Bytes of a slot. */
export const SLOT_BYTES = 256 * 1024;
/** Slots: what may be on its way to a writer at most. */
export const SLOTS = 4;
/** A writer says after so many chunks that their slots are free again. */
export const REPORT_SLOTS = 2;

const HEADER_BYTES = 64;

export function createChannelMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(HEADER_BYTES + SLOTS * SLOT_BYTES);
}

/** Counts messages sent; the sender adds one and notifies after each. */
export function counterOf(memory: SharedArrayBuffer): Int32Array {
  return new Int32Array(memory, 0, 1);
}

export function slotOf(memory: SharedArrayBuffer, index: number): Uint8Array {
  return new Uint8Array(memory, HEADER_BYTES + (index % SLOTS) * SLOT_BYTES, SLOT_BYTES);
}
