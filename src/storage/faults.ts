import { TablevaultError } from '../core/errors.ts';

/** The errors of all stores in one wording, each with what to do next. */

type Place = { readonly store: string; readonly object: string };

export function objectExists(place: Place, cause?: unknown): TablevaultError {
  return new TablevaultError('OBJECT_EXISTS', `there is already an object ${place.object}`, {
    at: place,
    cause,
    hint: 'Objects of a vault are never replaced: another writer was first, or an earlier try succeeded.',
  });
}

export function objectMissing(place: Place, cause?: unknown): TablevaultError {
  return new TablevaultError('OBJECT_MISSING', `there is no object ${place.object}`, {
    at: place,
    cause,
    hint: 'Check the address of the vault; if it is right, `tablevault verify` says what else is missing.',
  });
}

export function corrupt(place: Place, what: string, cause?: unknown): TablevaultError {
  return new TablevaultError('VAULT_CORRUPT', `${place.object}: ${what}`, {
    at: place,
    cause,
    hint: 'Run `tablevault verify` on the vault; the disk or the connection to the store may be faulty.',
  });
}

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
const DENIED = new Set(['EACCES', 'EPERM', 'EROFS']);
const NOWHERE = new Set(['ENOTDIR', 'EISDIR', 'ELOOP', 'ENAMETOOLONG', 'ENOENT']);

/** A fault of the file system as one of the destination; what is already a TablevaultError, or an abort, stays as it is. */
export function fileFault(error: unknown, doing: string, place: Place): unknown {
  const code = errnoOf(error);
  if (code === undefined) return error;
  const message = `${doing} failed (${code})`;
  if (FULL.has(code)) {
    return new TablevaultError('DESTINATION_FULL', `${message}: no space is left`, {
      at: place,
      cause: error,
      hint: 'Free space (or raise the quota) and run again; finished parts are kept and not read again.',
    });
  }
  if (DENIED.has(code)) {
    return new TablevaultError('DESTINATION_DENIED', `${message}: not permitted`, {
      at: place,
      cause: error,
      hint: 'Give the user that runs tablevault read and write rights on the folder, or choose another destination.',
    });
  }
  if (NOWHERE.has(code)) {
    return new TablevaultError('DESTINATION_MISSING', `${message}: the path does not lead to a folder`, {
      at: place,
      cause: error,
      hint: 'Check the path that you gave, or `destination:`; a file may stand where a folder is needed, or the volume is not mounted.',
    });
  }
  return new TablevaultError('DESTINATION_UNREACHABLE', `${message}: the file system reported an error`, {
    at: place,
    cause: error,
    retryable: true,
    hint: 'Check the disk or the mount (dmesg, mount), then run again.',
  });
}

/** `ENOENT` and the like, undefined for anything that is not an error of a system call. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || error instanceof TablevaultError) return undefined;
  const { code, syscall } = error as NodeJS.ErrnoException;
  return typeof code === 'string' && typeof syscall === 'string' ? code : undefined;
}
