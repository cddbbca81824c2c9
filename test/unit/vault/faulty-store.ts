import { TablevaultError } from '../../../src/core/errors.ts';
import type { Store } from '../../../src/storage/store.ts';
import type { PutFault } from './support.ts';

export interface FaultyStore extends Store {
  /** Keys put or replaced, in order, as far as they reached this wrapper. */
  readonly puts: string[];
  dead(): boolean;
}

const gone = () => new TablevaultError('DESTINATION_UNREACHABLE', 'the connection was reset', { retryable: true });
const denied = () => new TablevaultError('DESTINATION_DENIED', 'denied by a test');
const exists = (key: string) => new TablevaultError('OBJECT_EXISTS', `there is already ${key}`);

/** A real store whose puts go wrong as `fault` says for a key and its n-th put. */
export function faultyStore(inner: Store, fault: (key: string, n: number) => PutFault | undefined): FaultyStore {
  const puts: string[] = [];
  const counts = new Map<string, number>();
  let dead = false;
  const alive = () => {
    if (dead) throw gone();
  };
  async function faulty(key: string, put: () => Promise<void>): Promise<void> {
    alive();
    const n = (counts.get(key) ?? 0) + 1;
    counts.set(key, n);
    puts.push(key);
    const kind = fault(key, n);
    switch (kind) {
      case undefined:
        return put();
      case 'lost-answer':
        await put().catch(() => undefined);
        throw gone();
      case 'lost-request':
        throw gone();
      case 'forged-success':
        return;
      case 'forged-exists':
        await put();
        throw exists(key);
      case 'forged-denied':
        await put();
        throw denied();
      case 'denied':
        throw denied();
      case 'kill-before':
        dead = true;
        throw gone();
      case 'kill-after':
        await put();
        dead = true;
        throw gone();
    }
  }
  return {
    ...inner,
    puts,
    dead: () => dead,
    putNew: (key, bytes, options) => faulty(key, () => inner.putNew(key, bytes, options)),
    replace: (key, bytes, options) => faulty(key, () => inner.replace(key, bytes, options)),
    get: async (key, options) => {
      alive();
      return inner.get(key, options);
    },
    head: async (key, options) => {
      alive();
      return inner.head(key, options);
    },
    remove: async (key, options) => {
      alive();
      return inner.remove(key, options);
    },
  };
}
