/** Tries whether a store creates objects without replacing one. */
import { randomUUID } from 'node:crypto';
import { TablevaultError } from '../core/errors.ts';
import { putIfAbsent } from './conditional.ts';
import type { CallOptions, Store } from './store.ts';

const WRITERS = 3;
/** What servers encode in listings, each in its way; not every file system takes letters of any kind. */
const ODD_NAME = "a.b 100%25+é'(1)&=";
/** Time to remove the object after an interrupt. */
const CLEANUP_MS = 2_000;

/**
 * Tries out that the store creates objects without ever replacing one, which the commit depends on: several writers at once,
 * then one more; only the first may win, and its bytes must be what is read. Leaves nothing behind where it may remove.
 *
 * @throws TablevaultError `DESTINATION_UNSAFE` when two writers win or the bytes are another's; errors of the store as they are.
 */
export async function tryCreateOnly(store: Store, call: CallOptions = {}): Promise<void> {
  const beginning = `probe/${randomUUID()}`;
  const key = `${beginning} ${ODD_NAME}`;
  const contents = Array.from({ length: WRITERS + 1 }, (_, writer) =>
    Buffer.from(`probe of writer ${writer}, ${key}\n`),
  );
  // Tried again after a fault that may pass: a store that throttles is not an unsafe one.
  const put = (bytes: Uint8Array) => putIfAbsent(store, key, bytes, { signal: call.signal });
  try {
    const results = await Promise.allSettled(contents.slice(0, WRITERS).map(put));
    const fault = results.find((result) => result.status === 'rejected');
    if (fault !== undefined) throw fault.reason;
    const won = results.map((result) => result.status === 'fulfilled' && result.value);
    won.push(await put(contents[WRITERS]!));
    const stored = Buffer.from(await store.get(key, call));
    const winners = contents.filter((_, writer) => won[writer]);
    // Nobody won: the answer to the winner was lost, and its second try found its own object. It was one of those who raced.
    const fair = winners.length === 0 ? contents.slice(0, WRITERS).some((bytes) => bytes.equals(stored)) : false;
    if (!fair && (winners.length !== 1 || !winners[0]?.equals(stored))) {
      throw new TablevaultError('DESTINATION_UNSAFE', `${store.uri} lets a second writer replace an object`, {
        at: { store: store.uri, object: key },
        hint: 'A commit could be overwritten there. Use a store that honours `If-None-Match: *` on PUT (AWS S3, Ceph, MinIO), or a folder.',
      });
    }
    const listed: string[] = [];
    for await (const object of store.list(beginning, call)) listed.push(object.key);
    if (listed.length !== 1 || listed[0] !== key)
      throw new TablevaultError(
        'DESTINATION_UNSAFE',
        `${store.uri} lists an object under another name than it was stored under`,
        {
          at: { store: store.uri, object: key },
          hint: 'Files of tables with such names could not be found again there. Use another store.',
        },
      );
  } finally {
    // A writer role may lack the right to delete; the probe object harms nobody. It never keeps an interrupt waiting.
    const signal = call.signal?.aborted === true ? AbortSignal.timeout(CLEANUP_MS) : call.signal;
    await store.remove(key, { signal }).catch(() => undefined);
  }
}
