/** `make fuzz`: a minute, or `FUZZ_SECONDS`; a fault names the `FUZZ_SEED` that begins with it. */
import { writeSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fuzz } from './fuzz.ts';

test('no body becomes anything else than what it says', async () => {
  const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000_000);
  const seconds = Number(process.env['FUZZ_SECONDS'] ?? 60);
  writeSync(2, `FUZZ_SEED=${seed}, ${seconds} seconds\n`);
  const { faults, ...figures } = await fuzz({ seed, untilMs: Date.now() + seconds * 1000, bodiesAFile: 200 });
  writeSync(2, `${JSON.stringify(figures)}\n`);
  expect(faults).toEqual([]);
  // A minute that tried nothing proves nothing.
  expect(Math.min(figures.accepted, figures.refused, figures.files)).toBeGreaterThan(0);
});
