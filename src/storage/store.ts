/**
 * What the vault needs of a place that keeps objects. Memory, a folder and S3 implement it; `test/contract/store.test.ts`
 * holds all of them to the sentences below.
 *
 * Keys are relative paths of `/`-separated segments (see `key.ts`); none is the folder of another. Every failure is a TablevaultError:
 * `OBJECT_EXISTS`, `OBJECT_MISSING`, `DESTINATION_*`; anything else that went wrong with stored bytes is `VAULT_CORRUPT`.
 */
export interface Store {
  /** For people: `s3://bucket/prefix`, an absolute folder path, or `memory:name`. Never holds a credential. */
  readonly uri: string;

  /**
   * Creates an object, whole or not at all, and never replaces one: exactly one of several writers of a key wins, the others
   * get `OBJECT_EXISTS`. When it resolves the object is durable.
   *
   * After any error the object may still be there (a lost answer), and `OBJECT_EXISTS` may name the work of an earlier try of
   * the same call: a caller to whom it matters reads the key back.
   */
  putNew(key: string, bytes: Uint8Array, options?: PutOptions): Promise<void>;

  /** As `putNew`, with a local file's content. A file that no longer has these bytes and this hash is not stored: `VAULT_CORRUPT`. */
  putNewFile(key: string, localPath: string, file: FileFacts): Promise<void>;

  /** Creates or replaces an object. For hints and pins only: two writers may overtake each other. */
  replace(key: string, bytes: Uint8Array, options?: CallOptions): Promise<void>;

  /** The whole object; `OBJECT_MISSING` when there is none; `VAULT_CORRUPT` when it is larger than `maxBytes` (default 256 MiB). */
  get(key: string, options?: CallOptions & { readonly maxBytes?: number }): Promise<Uint8Array>;

  /** The whole object in chunks; throws when it ends before the size it was announced with. */
  stream(key: string, options?: CallOptions): AsyncIterable<Uint8Array>;

  /** Size and time of storing (by the store's clock), undefined when there is no such object. */
  head(key: string, options?: CallOptions): Promise<ObjectFacts | undefined>;

  /** Objects whose key begins with `prefix`, in the order of their keys' bytes. What is stored meanwhile may be missing. */
  list(prefix: string, options?: CallOptions): AsyncIterable<ListedObject>;

  /** Names of the folders directly below `prefix` (which ends with `/`), in order, without the slash. */
  folders(prefix: string, options?: CallOptions): AsyncIterable<string>;

  /** Removes an object; one that is not there is no error. */
  remove(key: string, options?: CallOptions): Promise<void>;

  /** The store's own clock, milliseconds since 1970, comparable with `modifiedMs` to within a second or so. */
  serverNowMs(options?: CallOptions): Promise<number>;

  /** Does `serverNowMs` write? Then whoever only looks does without it (`read-only.ts`). Default false. */
  readonly tellsTimeByWriting?: boolean;

  /** Makes an object that can be read survive a power cut, after an unclear answer to its put. Stores that cannot lose one leave it out. */
  makeDurable?(key: string): Promise<void>;

  /** Removes unfinished files of killed writers that are older than `olderThanMs` by the store's clock. Stores without such leave it out. */
  sweepTemporary?(
    olderThanMs: number,
    options?: CallOptions,
  ): Promise<{ readonly objects: number; readonly bytes: number }>;

  /** Absolute path of the object's file where it has one that other programs may read. */
  localPath?(key: string): string;

  close(): Promise<void>;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface PutOptions extends CallOptions {
  /** Lower-case hexadecimal SHA-256 of the bytes, when the caller has it already. */
  readonly sha256?: string | undefined;
  /** May the store try again by itself after a failure that may pass? Default true; commits say false. */
  readonly retries?: boolean | undefined;
}

export interface FileFacts extends PutOptions {
  /** Size in bytes. */
  readonly bytes: number;
  readonly sha256: string;
}

export interface ObjectFacts {
  readonly bytes: number;
  readonly modifiedMs: number;
}

export interface ListedObject extends ObjectFacts {
  readonly key: string;
}

/** Limit of `get`, bytes: a manifest of a thousand tables is a few tens of megabytes. */
export const DEFAULT_MAX_GET_BYTES = 256 * 1024 * 1024;
