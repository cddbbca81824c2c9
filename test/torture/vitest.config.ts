import { defineConfig } from 'vitest/config';

/** `make torture`: hours of bad luck in half an hour. Not part of `make test`, whose integration tests run a minute of it. */
export default defineConfig({
  test: {
    name: 'torture',
    include: ['test/torture/**/*.test.ts'],
    globalSetup: ['test/support/s3-global.ts'],
    testTimeout: 40 * 60_000,
    hookTimeout: 120_000,
    fileParallelism: false,
  },
});
