import { describe, expect, it } from 'vitest';
import { shortageError, shortageOf } from '../../../src/duckdb/faults.ts';

describe('an error of DuckDB', () => {
  it.each([
    ['IO Error: Could not write to file "/tmp/x": No space left on device', 'disk', 'DESTINATION_FULL'],
    ['IO Error: Could not write all bytes to file "/tmp/x": wanted=10 wrote=3', 'disk', 'DESTINATION_FULL'],
    ['IO Error: Failed to create directory "/tmp/x/spill": Disk quota exceeded', 'disk', 'DESTINATION_FULL'],
    [
      'TransactionContext Error: Failed to commit: Could not write file "x": No space left on device',
      'disk',
      'DESTINATION_FULL',
    ],
    [
      "Out of Memory Error: failed to offload data block of size 2.0 KiB. This limit was set by the 'max_temp_directory_size' setting.",
      'disk',
      'DESTINATION_FULL',
    ],
    ['Out of Memory Error: failed to pin block\n\nPossible solutions', 'memory', 'DESTINATION_FULL'],
    ['std::bad_alloc', 'memory', 'DESTINATION_FULL'],
    ['Invalid Error: Failed to allocate', 'memory', 'DESTINATION_FULL'],
    ['IO Error: Could not read from file "/v/x": Cannot allocate memory', 'memory', 'DESTINATION_FULL'],
    ['IO Error: Cannot open file "/nowhere/x": No such file or directory', 'rights', 'DESTINATION_DENIED'],
    ['IO Error: Cannot open file "/x": Permission denied', 'rights', 'DESTINATION_DENIED'],
    ['IO Error: Cannot open file "/v/x": Too many open files', 'machine', 'DESTINATION_UNREACHABLE'],
    [
      `IO Error: Cannot open file "/${'long/'.repeat(100)}x": Too many open files`,
      'machine',
      'DESTINATION_UNREACHABLE',
    ],
    ['IO Error: Could not read from file "/v/x": Input/output error', 'machine', 'DESTINATION_UNREACHABLE'],
    ['IO Error: Could not seek to location 1 for reading from file "x"', 'machine', 'DESTINATION_UNREACHABLE'],
    ['IO Error: Failed to create thread: Resource temporarily unavailable', 'machine', 'DESTINATION_UNREACHABLE'],
  ])('%j tells of a shortage of %s', (message, shortage, code) => {
    expect(shortageOf(new Error(message))).toBe(shortage);
    expect(shortageError(new Error(message), 'the rows could not be checked', {})).toMatchObject({
      code,
      message: expect.stringMatching(/^the rows could not be checked: /),
      hint: expect.stringContaining('TMPDIR'),
    });
  });

  it.each([
    "Invalid Input Error: No magic bytes found at end of file '/srv/x.parquet'",
    'Invalid Input Error: Failed to read file "/v/x": ZSTD Decompression failure',
    'Invalid Error: TProtocolException: Invalid data',
    'IO Error: Could not read enough bytes from file "/v/x": attempted to read 8 bytes from location 900',
    "Conversion Error: Could not convert string 'a' no space left' to INT32",
    'Binder Error: Referenced column "disk full: No space left on device" not found: No space left on device',
  ])('about something else is none: %j', (message) => {
    expect(shortageError(new Error(message), 'x', {})).toBeUndefined();
  });

  it.each([
    "Mike's disk full",
    "o'brien/read-only/it's",
    'no space left on device',
    'a": Permission denied',
    'out of memory',
  ])('takes nothing in the name of a file for a shortage: %s', (name) => {
    for (const quoted of [`'/srv/${name}/x.parquet'`, `"/srv/${name}"`, `/srv/${name}`]) {
      for (const words of ['No magic bytes found at end of file', 'Failed to read file']) {
        expect(shortageOf(new Error(`Invalid Input Error: ${words} ${quoted}`))).toBeUndefined();
      }
    }
  });
});
