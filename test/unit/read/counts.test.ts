import { expect, test } from 'vitest';
import { CountKnowledge } from '../../../src/read/counts.ts';

const answer = (count: number | null, rows: number) => ({ count, rows, excluded: 0 });

test('a refusal by one table is no answer for all; two are enough', () => {
  const counts = new CountKnowledge(null);
  counts.refused();
  expect(counts.mayAsk).toBe(true);
  counts.refused();
  expect(counts.mayAsk).toBe(false);
});

test('once a count came, refusals of single tables do not end the asking', () => {
  const counts = new CountKnowledge(null);
  counts.answered(answer(3, 3));
  for (let n = 0; n < 5; n++) counts.refused();
  expect(counts.mayAsk).toBe(true);
});

test('a count is of the table once it is seen to be of more than the answer', () => {
  const counts = new CountKnowledge(null);
  counts.answered(answer(3, 3));
  expect(counts.countsTables).toBe(false);
  counts.answered(answer(9, 3));
  expect(counts.countsTables).toBe(true);
  expect(new CountKnowledge(true).countsTables).toBe(true);
});
