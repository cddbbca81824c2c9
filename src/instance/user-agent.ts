import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** `tablevault/<version>`: the same from every machine, so that an administrator finds us in the instance's log. */
export function userAgent(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return `tablevault/${z.object({ version: z.string() }).parse(JSON.parse(text)).version}`;
}
