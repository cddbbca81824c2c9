import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { packageFile } from '../core/package-files.ts';

/** `Table.Column` names of `schemas/sensitive-columns.json`: left out of snapshots unless a pipeline names them. */
export function readSensitiveColumns(): readonly string[] {
  const text = readFileSync(packageFile('schemas/sensitive-columns.json'), 'utf8');
  return z.object({ columns: z.array(z.string()) }).parse(JSON.parse(text)).columns;
}
