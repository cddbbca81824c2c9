/** A folder as a store. */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { digestStream, sha256Hex } from '../core/digest.ts';
import { TablevaultError } from '../core/errors.ts';
import { corrupt, errnoOf, fileFault, objectExists, objectMissing } from './faults.ts';
import type { FileSystem, WritableFile } from './filesystem.ts';
import { nodeFileSystem } from './filesystem.ts';
import { checkedKey, checkedPrefix, compareKeys } from './key.ts';
import type { CallOptions, FileFacts, ListedObject, PutOptions, Store } from './store.ts';
import { DEFAULT_MAX_GET_BYTES } from './store.ts';

/** Where unfinished files are; never listed, since keys have no segment that begins with a dot. */
const TEMPORARY = '.tmp';
const READ_CHUNK_BYTES = 1 << 20;

/**
 * A folder as a store. An object becomes visible by `link()`, which never replaces, after its bytes are on the disk; the put
 * resolves after its name is there too. The folder itself is made at most once. Files have mode 0600, folders 0700. Leftovers of a killed process stay in `.tmp`.
 */
export function createFolderStore(folder: string, options: { readonly fileSystem?: FileSystem } = {}): Store {
  const fs = options.fileSystem ?? nodeFileSystem;
  const root = resolve(folder);
  const knownFolders = new Map<string, Promise<void>>();
  /** Was there something in the folder? Then it is never made again: its volume is gone, or somebody moved it. */
  let stood = false;
  const pathOf = (key: string) => join(root, ...checkedKey(key).split('/'));
  const place = (key: string) => ({ store: root, object: key });

  /**
   * Creates what is missing of a folder's path, and makes each name durable in its parent. Inside the vault that is also done,
   * once a process, for folders that exist: another process may have made one and not come to its fsync.
   */
  function makeFolder(path: string): Promise<void> {
    const known = knownFolders.get(path);
    if (known !== undefined) return known;
    const making = (async () => {
      const parent = dirname(path);
      const missing = (await fs.stat(path)) === undefined;
      const inside = path !== root && path.startsWith(root);
      if (path === root && missing && stood) throw rootGone();
      stood ||= path === root && !missing;
      if (!missing && !inside) return;
      await makeFolder(parent);
      if (missing) {
        try {
          await fs.mkdir(path);
        } catch (error) {
          if (errnoOf(error) !== 'EEXIST') throw error;
        }
      }
      stood ||= path === root;
      await fs.syncFolder(parent);
    })();
    knownFolders.set(path, making);
    making.catch(() => knownFolders.delete(path));
    return making;
  }

  function rootGone(): TablevaultError {
    return new TablevaultError('DESTINATION_MISSING', `the folder ${root} was there, and is gone`, {
      at: { store: root },
      hint: 'Mount its volume again, or put the folder back in its place, then run again: what was stored in it is not read again.',
    });
  }

  /** Writes a temporary file, has it on the disk, and hands its path to `publish`, whatever happens the file goes. */
  async function viaTemporary(
    fill: (file: WritableFile) => Promise<void>,
    publish: (path: string) => Promise<void>,
  ): Promise<void> {
    await makeFolder(join(root, TEMPORARY));
    const path = join(root, TEMPORARY, randomUUID());
    const file = await fs.create(path);
    try {
      try {
        await fill(file);
        await file.sync();
      } finally {
        await file.close();
      }
      await publish(path);
    } finally {
      await fs.unlink(path).catch(() => undefined);
    }
  }

  async function linkAs(temporary: string, key: string): Promise<void> {
    const path = pathOf(key);
    await makeFolder(dirname(path));
    try {
      await fs.link(temporary, path);
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') throw objectExists(place(key), error);
      if (['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EPERM', 'EMLINK'].includes(errnoOf(error) ?? '')) {
        throw new TablevaultError('DESTINATION_UNSAFE', `the file system of ${root} has no hard links`, {
          at: place(key),
          cause: error,
          hint: 'Objects must be created in one step that never replaces. Use a folder on ext4, XFS, Btrfs, APFS or NTFS, or S3.',
        });
      }
      throw error;
    }
    await fs.syncFolder(dirname(path));
  }

  /** Runs a step; a folder that was removed under us is made again once. */
  async function writing(key: string, doing: string, step: () => Promise<void>): Promise<void> {
    checkedKey(key);
    try {
      try {
        await step();
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT') throw error;
        knownFolders.clear();
        await step();
      }
    } catch (error) {
      throw fileFault(error, `${doing} ${key}`, place(key));
    }
  }

  async function* chunksOf(key: string, signal: AbortSignal | undefined) {
    const path = pathOf(key);
    let file: Awaited<ReturnType<FileSystem['open']>>;
    try {
      file = await fs.open(path);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') throw objectMissing(place(key), error);
      throw fileFault(error, `opening ${key}`, place(key));
    }
    stood = true;
    try {
      for (let at = 0; at < file.bytes; ) {
        signal?.throwIfAborted();
        const chunk = new Uint8Array(Math.min(READ_CHUNK_BYTES, file.bytes - at));
        const got = await file.read(chunk, at);
        if (got === 0) throw corrupt(place(key), `ended at byte ${at} while it was read`);
        at += got;
        yield got === chunk.byteLength ? chunk : chunk.subarray(0, got);
      }
    } catch (error) {
      throw fileFault(error, `reading ${key}`, place(key));
    } finally {
      await file.close();
    }
  }

  async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
    const all: Uint8Array[] = [];
    for await (const chunk of chunks) all.push(chunk);
    return all.length === 1 && all[0] !== undefined ? all[0] : new Uint8Array(Buffer.concat(all));
  }

  async function entriesOf(path: string) {
    try {
      const entries = (await fs.readdir(path)) ?? [];
      return entries
        .filter((entry) => !entry.name.startsWith('.') && entry.kind !== 'other')
        .map((entry) => ({ ...entry, sortsAs: entry.kind === 'folder' ? `${entry.name}/` : entry.name }))
        .sort((a, b) => compareKeys(a.sortsAs, b.sortsAs));
    } catch (error) {
      throw fileFault(error, `listing ${path}`, { store: root, object: path });
    }
  }

  /** A folder sorts as its name with a slash, so that the walk meets keys in the order of their bytes. */
  async function* walk(below: string, prefix: string, signal: AbortSignal | undefined): AsyncGenerator<ListedObject> {
    signal?.throwIfAborted();
    for (const entry of await entriesOf(join(root, ...below.split('/')))) {
      const key = below + entry.sortsAs;
      if (entry.kind === 'folder') {
        if (key.startsWith(prefix) || prefix.startsWith(key)) yield* walk(key, prefix, signal);
      } else if (key.startsWith(prefix)) {
        const found = await factsOf(key);
        if (found !== undefined) yield { key, ...found };
      }
    }
  }

  async function factsOf(key: string) {
    try {
      const found = await fs.stat(pathOf(key));
      return found?.kind === 'file' ? { bytes: found.bytes, modifiedMs: found.modifiedMs } : undefined;
    } catch (error) {
      if (errnoOf(error) === 'ENOTDIR') return undefined;
      throw fileFault(error, `looking at ${key}`, place(key));
    }
  }

  return {
    uri: root,
    async putNew(key: string, bytes: Uint8Array, put: PutOptions = {}) {
      if (put.sha256 !== undefined && sha256Hex(bytes) !== put.sha256) {
        throw corrupt(place(key), 'the bytes do not have their hash');
      }
      await writing(key, 'storing', async () => {
        put.signal?.throwIfAborted();
        await viaTemporary(
          (file) => file.write(bytes),
          (path) => linkAs(path, key),
        );
      });
    },
    async putNewFile(key: string, localPath: string, facts: FileFacts) {
      await writing(key, 'storing', async () => {
        await viaTemporary(
          async (file) => {
            const source = createReadStream(localPath, { signal: facts.signal, highWaterMark: READ_CHUNK_BYTES });
            const found = await digestStream(source, (chunk) => file.write(chunk));
            if (found.bytes !== facts.bytes || found.sha256 !== facts.sha256) {
              throw corrupt(place(key), 'the local file no longer has the bytes that were hashed');
            }
          },
          (path) => linkAs(path, key),
        );
      });
    },
    async replace(key: string, bytes: Uint8Array, call: CallOptions = {}) {
      await writing(key, 'replacing', async () => {
        call.signal?.throwIfAborted();
        const path = pathOf(key);
        await makeFolder(dirname(path));
        await viaTemporary(
          (file) => file.write(bytes),
          (temporary) => fs.rename(temporary, path),
        );
        await fs.syncFolder(dirname(path));
      });
    },
    async get(key, get = {}) {
      const limit = get.maxBytes ?? DEFAULT_MAX_GET_BYTES;
      const found = await factsOf(key);
      if (found !== undefined && found.bytes > limit) {
        throw corrupt(place(key), `larger than the ${limit} bytes it may have`);
      }
      return collect(chunksOf(key, get.signal));
    },
    stream: (key, call = {}) => chunksOf(key, call.signal),
    head: factsOf,
    async *list(prefix, call = {}) {
      checkedPrefix(prefix);
      yield* walk(prefix.slice(0, prefix.lastIndexOf('/') + 1), prefix, call.signal);
    },
    async *folders(prefix) {
      checkedPrefix(prefix);
      for (const entry of await entriesOf(join(root, ...prefix.split('/')))) {
        if (entry.kind === 'folder') yield entry.name;
      }
    },
    async remove(key) {
      const path = pathOf(key);
      try {
        await fs.unlink(path);
        await fs.syncFolder(dirname(path));
      } catch (error) {
        if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return;
        throw fileFault(error, `removing ${key}`, place(key));
      }
    },
    /** The time that the file system gives a new file: on a network volume that is its server's. */
    async serverNowMs() {
      let now = 0;
      await writing('clock', 'asking the time of', () =>
        viaTemporary(
          async (file) => file.write(new Uint8Array(1)),
          async (path) => {
            now = (await fs.stat(path))?.modifiedMs ?? Number.NaN;
          },
        ),
      );
      return now;
    },
    tellsTimeByWriting: true,
    async makeDurable(key) {
      await writing(key, 'securing', async () => {
        await fs.syncFile(pathOf(key));
        await fs.syncFolder(dirname(pathOf(key)));
      });
    },
    async sweepTemporary(olderThanMs, call = {}) {
      const nowMs = await this.serverNowMs(call);
      const swept = { objects: 0, bytes: 0 };
      for (const { name, kind } of (await fs.readdir(join(root, TEMPORARY))) ?? []) {
        call.signal?.throwIfAborted();
        const path = join(root, TEMPORARY, name);
        const found = kind === 'file' ? await fs.stat(path) : undefined;
        if (found === undefined || nowMs - found.modifiedMs < olderThanMs) continue;
        await fs.unlink(path).catch(() => undefined);
        swept.objects += 1;
        swept.bytes += found.bytes;
      }
      return swept;
    },
    localPath: pathOf,
    async close() {},
  };
}
