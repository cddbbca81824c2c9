import { describe, expect, test } from 'vitest';
import { nullHabitOf } from '../../../src/scan/nulls.ts';

const habit = (rows: readonly Readonly<Record<string, unknown>>[]) => nullHabitOf(rows, ['Notes', 'Code'], ['Id']);

describe('the habit of a server with nulls', () => {
  test('is proven to leave them out by a property that some rows have and others have not', () => {
    expect(habit([{ Id: 1, Notes: 'x' }, { Id: 2 }])).toBe('omitted');
  });

  test('is that of each property by itself: one is left out, though another is written', () => {
    expect(habit([{ Id: 1, Notes: 'x' }, { Id: 2 }, { Id: 3, Code: null }])).toBe('omitted');
  });

  test('is to write them where a property that is left out of some rows is null in others', () => {
    expect(habit([{ Id: 1, Notes: 'x' }, { Id: 2 }, { Id: 3, Notes: null }])).toBe('written');
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
