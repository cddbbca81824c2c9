import { toolVersion } from '../core/package-files.ts';

/** `tablevault/<version>`: the same from every machine, so that an administrator finds us in the instance's log. */
export function userAgent(): string {
  return `tablevault/${toolVersion()}`;
}
