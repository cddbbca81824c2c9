import { createHash } from 'node:crypto';

/** Every key of a vault, in one place. `docs/architecture.md` shows the same as a tree. */

export const VAULT_KEY = 'vault.json';
export const LATEST_KEY = 'latest.json';
export const SNAPSHOTS = 'snapshots/';
export const TOMBSTONES = 'tombstones/';
export const RUNS = 'runs/';
export const TABLES = 'tables/';
export const PINS = 'pins/';
export const INDEX = 'index/';
/** Objects of `storage/try-create-only.ts` that a writer could not remove. */
export const PROBES = 'probe/';

/** Damaged parts, below their own key. Nothing in the product reads them again. */
export const QUARANTINE = 'quarantine/';

const SEQUENCE_DIGITS = 20;
const MAX_SEGMENT_BYTES = 150;

/** Sequences are padded so that keys sort as numbers. */
const padded = (sequence: number): string => String(sequence).padStart(SEQUENCE_DIGITS, '0');

export const snapshotKey = (sequence: number): string => `${SNAPSHOTS}${padded(sequence)}.json`;
export const tombstoneKey = (sequence: number): string => `${TOMBSTONES}${padded(sequence)}.json`;

export const indexKey = (sequence: number): string => `${INDEX}${padded(sequence)}.json`;
export const pinKey = (sequence: number): string => `${PINS}${padded(sequence)}.json`;

/** The sequence in a key of `snapshots/`, `tombstones/`, `index/` or a lock, undefined for a foreign object. */
export function sequenceOf(key: string, folder: string): number | undefined {
  const name = key.startsWith(folder) ? key.slice(folder.length) : '';
  if (!/^\d{20}\.json$/.test(name)) return undefined;
  const sequence = Number(name.slice(0, SEQUENCE_DIGITS));
  return Number.isSafeInteger(sequence) && sequence > 0 ? sequence : undefined;
}

export const runFolder = (run: string): string => `${RUNS}${run}/`;
export const planKey = (run: string): string => `${runFolder(run)}plan.json`;
export const outcomeKey = (run: string): string => `${runFolder(run)}outcome.json`;
/** Nobody continues the run, nor an earlier one of its pipeline. */
export const closedKey = (run: string): string => `${runFolder(run)}closed.json`;
export const refsKey = (run: string, n: number): string => `${runFolder(run)}refs-${n}.json`;
export const checkpointFolder = (run: string, table?: string): string =>
  `${runFolder(run)}ckpt/${table === undefined ? '' : `${segment(table)}/`}`;
export const checkpointKey = (run: string, table: string, n: number): string =>
  `${checkpointFolder(run, table)}${n}.json`;

export const partKey = (table: string, run: string, n: number, sha256: string): string =>
  `tables/${segment(table)}/${run}-${n}-${sha256.slice(0, 12)}.parquet`;

/** Its own hash in the name: two damaged versions of one part do not meet. */
export const quarantineKey = (part: string, sha256: string): string => `${QUARANTINE}${part}.${sha256.slice(0, 12)}`;

/** The part that was put into quarantine under this key, undefined for a foreign object. */
export function partInQuarantine(key: string): string | undefined {
  return key.startsWith(QUARANTINE) ? /^(.+)\.[0-9a-f]{12}$/.exec(key.slice(QUARANTINE.length))?.[1] : undefined;
}

/** The run that wrote a part, undefined for a foreign object below `tables/`. */
export function runOfPart(key: string): string | undefined {
  return /^tables\/[^/]+\/(\d{8}T\d{6}Z-[0-9a-f]{8})-\d+-[0-9a-f]{12}\.parquet$/.exec(key)?.[1];
}

/** What the keys of all parts begin with that the same run wrote of the same table, undefined for a foreign object. */
export function partPrefix(key: string): string | undefined {
  const run = runOfPart(key);
  return run === undefined ? undefined : `${key.slice(0, key.lastIndexOf('/') + 1)}${run}-`;
}

/** What was found of an instance, by its address: a hint that is replaced. */
export const probeKey = (address: string): string => `probes/${segment(address)}.json`;

export const lockFolder = (name: string): string => `locks/${segment(name)}/`;
export const lockKey = (name: string, generation: number): string => `${lockFolder(name)}${padded(generation)}.json`;

/** `20261121T211500Z-0a1b2c3d`: a run, and the snapshot that comes of it. */
export const RUN_ID = /^\d{8}T\d{6}Z-[0-9a-f]{8}$/;

/** A new id; `random` gives 8 hexadecimal digits. */
export function newRunId(nowMs: number, random: () => string): string {
  return `${new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '')}-${random()}`;
}

/** Names that Windows keeps for devices, with any ending. */
const DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/**
 * A foreign name (of a table, of a pipeline) as one segment of a key: letters, digits, `_` and `-` as they are, everything
 * else as `%` and the bytes' hexadecimal digits. Two names never share a segment; names past 150 bytes end in their hash.
 */
export function segment(name: string): string {
  const encoded = [...Buffer.from(name)].map(encodeByte).join('');
  const safe = DEVICE.test(name) ? `%${hex(name.charCodeAt(0))}${encoded.slice(1)}` : encoded;
  if (safe.length > 0 && safe.length <= MAX_SEGMENT_BYTES) return safe;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 32);
  return `${safe.slice(0, MAX_SEGMENT_BYTES - 40).replace(/%.?$/, '')}%-${hash}`;
}

const hex = (byte: number): string => byte.toString(16).padStart(2, '0');

function encodeByte(byte: number): string {
  const letter = String.fromCharCode(byte);
  return /[A-Za-z0-9_-]/.test(letter) ? letter : `%${hex(byte)}`;
}
