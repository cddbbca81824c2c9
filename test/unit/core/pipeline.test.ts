import { expect, it } from 'vitest';
import { maxRowBytesOf } from '../../../src/core/pipeline.ts';

it('a row may take a tenth of the memory that the pipeline allows', () => {
  expect(maxRowBytesOf({ memoryMb: 512 })).toBe(Math.floor((512 * 1024 * 1024) / 10));
  expect(maxRowBytesOf({ memoryMb: 64 })).toBe(6_710_886);
});
