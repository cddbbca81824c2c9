/** Server-side encryption of S3 objects. */
import type { Environment } from '../core/address.ts';
import { TablevaultError } from '../core/errors.ts';
import type { S3Place } from './s3-faults.ts';

/** Server-side encryption that is asked for with every object. */
export interface S3Encryption {
  readonly ServerSideEncryption: 'AES256' | 'aws:kms';
  readonly SSEKMSKeyId?: string;
}

/**
 * `TABLEVAULT_S3_SSE`: `AES256` (SSE-S3) or `aws:kms` (SSE-KMS), with `TABLEVAULT_S3_KMS_KEY_ID` for a key that is not the bucket's own.
 * @throws TablevaultError `CONFIG_INVALID`.
 */
export function parseEncryption(env: Environment): S3Encryption | undefined {
  const kind = env['TABLEVAULT_S3_SSE'] ?? '';
  const key = env['TABLEVAULT_S3_KMS_KEY_ID'] ?? '';
  const wrong = (what: string) =>
    new TablevaultError('CONFIG_INVALID', what, {
      hint: 'Set TABLEVAULT_S3_SSE to AES256, or to aws:kms with or without TABLEVAULT_S3_KMS_KEY_ID.',
    });
  if (kind === '' && key === '') return undefined;
  if (kind === 'aws:kms') return { ServerSideEncryption: kind, ...(key === '' ? {} : { SSEKMSKeyId: key }) };
  if (key !== '') throw wrong('TABLEVAULT_S3_KMS_KEY_ID is set without TABLEVAULT_S3_SSE=aws:kms');
  if (kind === 'AES256') return { ServerSideEncryption: kind };
  throw wrong(`TABLEVAULT_S3_SSE is ${JSON.stringify(kind)}`);
}

/**
 * A store that does not say that it encrypted has not: servers that do not know the header ignore it.
 * @throws TablevaultError `DESTINATION_UNSAFE`.
 */
export function checkEncrypted(wanted: S3Encryption | undefined, answered: string | undefined, place: S3Place): void {
  if (wanted === undefined || answered === wanted.ServerSideEncryption) return;
  throw new TablevaultError(
    'DESTINATION_UNSAFE',
    `the store did not encrypt ${place.object} by ${wanted.ServerSideEncryption}, as TABLEVAULT_S3_SSE asks`,
    {
      at: { store: place.store, object: place.object },
      hint: 'Use a server that offers it (and has a key service set up), or unset TABLEVAULT_S3_SSE.',
    },
  );
}
