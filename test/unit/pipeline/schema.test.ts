import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseDuration } from '../../../src/core/duration.ts';
import { pipelineJsonSchema } from '../../../src/pipeline/schema.ts';
import { WRITE_SCHEMAS } from '../../support/write-schemas.ts';

const SCHEMA = new URL('../../../schemas/pipeline.schema.json', import.meta.url);

it('schemas/pipeline.schema.json is the one that the reader validates with', () => {
  if (WRITE_SCHEMAS) writeFileSync(SCHEMA, JSON.stringify(pipelineJsonSchema(), null, 2));
  expect(JSON.parse(readFileSync(SCHEMA, 'utf8'))).toEqual(pipelineJsonSchema());
});

it('the schema allows no unknown key at any level', () => {
  const open: string[] = [];
  const walk = (node: unknown, path: string): void => {
    if (typeof node !== 'object' || node === null) return;
    const block = node as Record<string, unknown>;
    if (block['properties'] !== undefined && block['additionalProperties'] !== false) open.push(path);
    for (const [key, inner] of Object.entries(block)) walk(inner, `${path}/${key}`);
  };
  walk(pipelineJsonSchema(), '');
  expect(open).toEqual([]);
});

it('a duration is its number times its unit', () => {
  const unit = fc.constantFrom(['ms', 1], ['s', 1_000], ['m', 60_000], ['h', 3_600_000], ['d', 86_400_000] as const);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100_000 }), unit, (value, [name, ms]) => {
      expect(parseDuration(`${value}${name}`)).toBe(value * Number(ms));
    }),
  );
});
