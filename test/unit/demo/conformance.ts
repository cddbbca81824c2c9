import { afterAll, beforeEach } from 'vitest';
import { DEFAULT_LIMITS } from '../../../src/demo/options.ts';
import { DEFAULT_PERSONALITY } from '../../../src/demo/personality.ts';
import { DEFAULT_RIGHTS } from '../../../src/demo/rights.ts';
import { type Client, startClient } from './support.ts';

/** A client of a demo instance for all tests of a file; before each test the instance is as it was made. */
export async function conformanceClient(): Promise<Client> {
  const client = await startClient({ rows: 0.02 });
  beforeEach(() => {
    client.demo.configure({
      personality: DEFAULT_PERSONALITY,
      limits: DEFAULT_LIMITS,
      rights: DEFAULT_RIGHTS,
      faults: [],
    });
  });
  afterAll(() => client.close());
  return client;
}
