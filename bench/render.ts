/** Writes `docs/performance.md` anew from the newest results, without measuring anything. */
import { fileURLToPath } from 'node:url';
import { renderNewest } from './lib/newest.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

process.stderr.write(`docs/performance.md is written from bench/results/${await renderNewest(ROOT)}\n`);
