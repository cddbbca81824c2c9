/**
 * vitest `globalSetup`: at the end of a project's whole run, counts what the product sent. It is read-only: GET, and POST to the token
 * endpoint; anything else fails the run.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Folder for what `witness-setup.ts` notes. */
    witness: string;
  }
}

const ALLOWED: readonly string[] = ['GET', 'POST …/connect/token'];

export default function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'tablevault-witness-'));
  project.provide('witness', folder);
  return () => {
    const counts = countsIn(folder);
    rmSync(folder, { recursive: true, force: true });
    const forbidden = [...counts].filter(([what]) => !ALLOWED.includes(what));
    if (forbidden.length > 0) {
      const list = forbidden.map(([what, times]) => `${times} x ${what}`).join(', ');
      // vitest prints what a teardown throws, and goes on to call the run a success.
      process.exitCode = 1;
      throw new Error(`READ-ONLY VIOLATED: the product sent ${list}`);
    }
    if (counts.size === 0) return;
    const [gets, posts] = ALLOWED.map((what) => counts.get(what) ?? 0);
    console.log(
      `witness of ${project.name}: the product sent ${gets} GET, ${posts} POST to token endpoints, nothing else`,
    );
  };
}

function countsIn(folder: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of readdirSync(folder)) {
    for (const line of readFileSync(join(folder, name), 'utf8').trim().split('\n')) {
      for (const [what, times] of JSON.parse(line) as [string, number][])
        counts.set(what, (counts.get(what) ?? 0) + times);
    }
  }
  return counts;
}
