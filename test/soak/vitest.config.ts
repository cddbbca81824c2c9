import { defineConfig } from 'vitest/config';

/** Beside the tests of `npm test`: it takes minutes. */
export default defineConfig({ test: { name: 'soak', include: ['test/soak/soak.test.ts'], testTimeout: 900_000 } });
