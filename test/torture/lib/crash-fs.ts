/**
 * A file system in memory that records every call, and what a power cut after any of them may leave. It promises no more than POSIX: the
 * content of a file is on the disk when the file was synced, a name in a folder when the folder was.
 */
import { posix } from 'node:path';
import type { FileSystem } from '../../../src/storage/filesystem.ts';
import type { Random } from './random.ts';

export type Step =
  | { readonly op: 'create' | 'link'; readonly path: string; readonly file: number }
  | { readonly op: 'rename'; readonly from: string; readonly path: string; readonly file: number }
  | { readonly op: 'unlink'; readonly path: string }
  | { readonly op: 'mkdir'; readonly path: string }
  | { readonly op: 'write'; readonly file: number; readonly bytes: Uint8Array }
  | { readonly op: 'syncFile'; readonly file: number }
  | { readonly op: 'syncFolder'; readonly path: string };

type Node = { readonly kind: 'folder' } | { readonly kind: 'file'; readonly file: number };

interface Content {
  bytes: Buffer;
  modifiedMs: number;
}

export interface RecordingFileSystem extends FileSystem {
  readonly log: readonly Step[];
  now(): number;
}

interface Disk {
  readonly nodes: Map<string, Node>;
  readonly files: Map<number, Content>;
}

const EPOCH_MS = Date.UTC(2026, 10, 21, 2, 0, 0);
/** Exists from the beginning and for good. */
const MOUNT = '/disk';

export function recordingFileSystem(
  _seed: number,
  disk: Disk = { nodes: new Map([[MOUNT, { kind: 'folder' }]]), files: new Map() },
  startMs = EPOCH_MS,
): RecordingFileSystem {
  const { nodes, files } = disk;
  const log: Step[] = [];
  let nowMs = startMs;
  const tick = () => {
    nowMs += 1;
    return nowMs;
  };
  const fail = (code: string, syscall: string, path: string): never => {
    throw Object.assign(new Error(`${code}: ${syscall} ${path}`), { code, syscall });
  };
  const parentOf = (syscall: string, path: string) => {
    if (nodes.get(posix.dirname(path))?.kind !== 'folder') fail('ENOENT', syscall, path);
  };
  const fileAt = (syscall: string, path: string) => {
    const node = nodes.get(path);
    return node?.kind === 'file' ? node.file : fail(node === undefined ? 'ENOENT' : 'EISDIR', syscall, path);
  };
  return {
    log,
    now: () => nowMs,
    async create(path) {
      parentOf('open', path);
      if (nodes.has(path)) fail('EEXIST', 'open', path);
      const file = Math.max(0, ...files.keys()) + 1;
      files.set(file, { bytes: Buffer.alloc(0), modifiedMs: tick() });
      nodes.set(path, { kind: 'file', file });
      log.push({ op: 'create', path, file });
      return {
        async write(bytes) {
          const content = files.get(file)!;
          content.bytes = Buffer.concat([content.bytes, bytes]);
          content.modifiedMs = tick();
          log.push({ op: 'write', file, bytes: Uint8Array.from(bytes) });
        },
        async sync() {
          log.push({ op: 'syncFile', file });
        },
        async close() {},
      };
    },
    async link(from, path) {
      const file = fileAt('link', from);
      parentOf('link', path);
      if (nodes.has(path)) fail('EEXIST', 'link', path);
      nodes.set(path, { kind: 'file', file });
      log.push({ op: 'link', path, file });
    },
    async rename(from, path) {
      const file = fileAt('rename', from);
      parentOf('rename', path);
      nodes.delete(from);
      nodes.set(path, { kind: 'file', file });
      log.push({ op: 'rename', from, path, file });
    },
    async unlink(path) {
      fileAt('unlink', path);
      nodes.delete(path);
      log.push({ op: 'unlink', path });
    },
    async mkdir(path) {
      parentOf('mkdir', path);
      if (nodes.has(path)) fail('EEXIST', 'mkdir', path);
      nodes.set(path, { kind: 'folder' });
      log.push({ op: 'mkdir', path });
    },
    async syncFolder(path) {
      if (nodes.get(path)?.kind !== 'folder') fail('ENOENT', 'open', path);
      log.push({ op: 'syncFolder', path });
    },
    async syncFile(path) {
      log.push({ op: 'syncFile', file: fileAt('open', path) });
    },
    async open(path) {
      const { bytes } = files.get(fileAt('open', path))!;
      return {
        bytes: bytes.byteLength,
        read: async (into, position) => bytes.copy(into, 0, position),
        close: async () => {},
      };
    },
    async stat(path) {
      const node = nodes.get(path);
      if (node === undefined) return undefined;
      if (node.kind === 'folder') return { kind: 'folder', bytes: 0, modifiedMs: nowMs };
      const { bytes, modifiedMs } = files.get(node.file)!;
      return { kind: 'file', bytes: bytes.byteLength, modifiedMs };
    },
    async readdir(path) {
      if (nodes.get(path)?.kind !== 'folder') return undefined;
      return [...nodes]
        .filter(([each]) => posix.dirname(each) === path && each !== path)
        .map(([each, { kind }]) => ({ name: posix.basename(each), kind }));
    },
  };
}

/** What of the unsynced is on the disk after the cut. */
type Mode = 'nothing unsynced' | 'everything' | 'some of it';

/** Disks that a power cut after `at` calls may leave. */
export function* crashStates(
  recording: RecordingFileSystem,
  at: number,
  rng: Random,
): Generator<readonly [Mode, RecordingFileSystem]> {
  for (const mode of ['nothing unsynced', 'everything', 'some of it'] as const) {
    const kept = mode === 'nothing unsynced' ? () => false : mode === 'everything' ? () => true : () => rng.chance(0.5);
    yield [mode, recordingFileSystem(0, diskAfter(recording.log.slice(0, at), kept, rng), recording.now() + 1000)];
  }
}

function diskAfter(steps: readonly Step[], kept: () => boolean, rng: Random): Disk {
  const nodes = new Map<string, Node>([[MOUNT, { kind: 'folder' }]]);
  const written = new Map<number, Buffer>();
  const synced = new Map<number, Buffer>();
  for (const [index, step] of steps.entries()) {
    if (step.op === 'write')
      written.set(step.file, Buffer.concat([written.get(step.file) ?? Buffer.alloc(0), step.bytes]));
    else if (step.op === 'syncFile') synced.set(step.file, written.get(step.file) ?? Buffer.alloc(0));
    else if (step.op !== 'syncFolder') {
      const folder = posix.dirname(step.path);
      const durable = steps.slice(index + 1).some((later) => later.op === 'syncFolder' && later.path === folder);
      if (durable || kept()) apply(nodes, step);
    }
  }
  // Names below a folder that was lost went with it.
  for (const path of [...nodes.keys()].sort()) {
    if (path !== MOUNT && nodes.get(posix.dirname(path))?.kind !== 'folder') nodes.delete(path);
  }
  const files = new Map<number, Content>();
  for (const node of nodes.values()) {
    if (node.kind === 'folder' || files.has(node.file)) continue;
    const whole = written.get(node.file) ?? Buffer.alloc(0);
    const safe = synced.get(node.file) ?? Buffer.alloc(0);
    // What was not synced may be there, be cut, or be zeros of the right length.
    const rest = kept()
      ? whole.subarray(safe.length)
      : rng.pick([Buffer.alloc(0), Buffer.alloc(whole.length - safe.length)]);
    files.set(node.file, { bytes: Buffer.concat([safe, rest]), modifiedMs: EPOCH_MS });
  }
  // Numbers of new files go on after those there ever were.
  for (const file of written.keys())
    if (!files.has(file)) files.set(file, { bytes: Buffer.alloc(0), modifiedMs: EPOCH_MS });
  return { nodes, files };
}

function apply(nodes: Map<string, Node>, step: Exclude<Step, { op: 'write' | 'syncFile' | 'syncFolder' }>): void {
  switch (step.op) {
    case 'create':
    case 'link':
      nodes.set(step.path, { kind: 'file', file: step.file });
      return;
    case 'rename':
      nodes.delete(step.from);
      nodes.set(step.path, { kind: 'file', file: step.file });
      return;
    case 'unlink':
      nodes.delete(step.path);
      return;
    case 'mkdir':
      nodes.set(step.path, { kind: 'folder' });
  }
}
