import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** `Table.Column` names of `schemas/sensitive-columns.json`: left out of snapshots unless a pipeline names them. */
export function readSensitiveColumns(): readonly string[] {
  const text = readFileSync(new URL('../../schemas/sensitive-columns.json', import.meta.url), 'utf8');
  return z.object({ columns: z.array(z.string()) }).parse(JSON.parse(text)).columns;
}
