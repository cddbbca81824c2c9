import { describe, expect, it } from 'vitest';
import { shortageError, shortageOf } from '../../../src/duckdb/faults.ts';

describe('an error of DuckDB', () => {
  it.each([
    ['IO Error: Could not write to file "/tmp/x": No space left on device', 'disk', 'DESTINATION_FULL'],
    ['Out of Memory Error: failed to pin block\n\nPossible solutions', 'memory', 'DESTINATION_FULL'],
    ['IO Error: Cannot open file "/nowhere/x": No such file or directory', 'rights', 'DESTINATION_DENIED'],
    ['IO Error: Cannot open file "/x": Permission denied', 'rights', 'DESTINATION_DENIED'],
  ])('%j tells of a shortage of %s', (message, shortage, code) => {
    expect(shortageOf(new Error(message))).toBe(shortage);
    expect(shortageError(new Error(message), 'the rows could not be checked', {})).toMatchObject({
      code,
      message: expect.stringMatching(/^the rows could not be checked: /),
      hint: expect.stringContaining('TMPDIR'),
    });
  });

  it('about anything else is no shortage', () => {
    expect(shortageError(new Error('Invalid Input Error: No magic bytes found'), 'x', {})).toBeUndefined();
  });
});
