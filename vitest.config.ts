import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Every project ends with the count of what the product sent: see test/support/witness-global.ts. */
const WITNESS = { global: 'test/support/witness-global.ts', setupFiles: ['test/support/witness-setup.ts'] };

export default defineConfig({
  test: {
    // Vitest leaves a core to the terminal; on two cores that is half of them.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/property/**/*.test.ts'],
          globalSetup: [WITNESS.global],
          setupFiles: WITNESS.setupFiles,
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          globalSetup: ['test/support/s3-global.ts', WITNESS.global],
          setupFiles: WITNESS.setupFiles,
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/support/fresh-build.ts', 'test/support/s3-global.ts', WITNESS.global],
          setupFiles: WITNESS.setupFiles,
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
