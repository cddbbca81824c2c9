import { defineConfig } from 'vitest/config';

/** `make fuzz`: made-up tables and broken bodies for a minute, or `FUZZ_SECONDS`. Beside the tests of `npm test`. */
export default defineConfig({
  test: { name: 'fuzz', include: ['test/fuzz/fuzz.test.ts'], testTimeout: 24 * 3_600_000 },
});
