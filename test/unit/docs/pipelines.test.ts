import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { readPipeline } from '../../../src/pipeline/read.ts';

const FOLDER = fileURLToPath(new URL('../../../pipelines/', import.meta.url));

const ENV = {
  ERPNET_CLIENT_SECRET: 'x-y-z',
  ERPNET_TOKEN: 'x-y-z',
  TABLEVAULT_DEMO_URL: 'http://127.0.0.1:1',
  TABLEVAULT_DEMO_CLIENT_ID: 'demo',
  TABLEVAULT_DEMO_CLIENT_SECRET: 'x-y-z',
  TABLEVAULT_DEMO_TOKEN: 'x-y-z',
};

it.each(readdirSync(FOLDER))('pipelines/%s, which ships, is a pipeline', async (name) => {
  await expect(readPipeline(`${FOLDER}${name}`, { env: ENV })).resolves.toMatchObject({
    name: name.replace('.yaml', ''),
  });
});
