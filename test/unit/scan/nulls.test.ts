import { describe, expect, test } from 'vitest';
import { nullHabitOf } from '../../../src/scan/nulls.ts';

const habit = (rows: readonly Readonly<Record<string, unknown>>[]) => nullHabitOf(rows, ['Notes', 'Code'], ['Id']);

describe('the habit of a server with nulls', () => {
  test('is proven to leave them out by a property that some rows have and others have not', () => {
    expect(habit([{ Id: 1, Notes: 'x' }, { Id: 2 }])).toBe('omitted');
  });

  test('is to write them as soon as one is seen, whatever else is absent', () => {
    expect(habit([{ Id: 1, Notes: 'x' }, { Id: 2 }, { Id: 3, Code: null }])).toBe('written');
  });

  test('is unknown where a property is absent from every row: the identity may not be allowed to see it', () => {
    expect(
      habit([
        { Id: 1, Code: 'a' },
        { Id: 2, Code: 'b' },
      ]),
    ).toBe('unknown');
    expect(habit([])).toBe('unknown');
  });

  test('is unknown where a row lacks what is never null: more than nulls is left out', () => {
    expect(habit([{ Id: 1, Notes: 'x' }, { Code: 'a' }])).toBe('unknown');
  });
});
