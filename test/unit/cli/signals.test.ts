import { describe, expect, it } from 'vitest';
import { hintAfterInterrupt } from '../../../src/cli/signals.ts';

describe('after an interrupt', () => {
  it('only a snapshot is said to continue, and only without --fresh', () => {
    expect(hintAfterInterrupt(['snapshot', 'backup.yaml'])).toMatch(/same command again: it continues/);
    expect(hintAfterInterrupt(['snapshot', 'backup.yaml', '--fresh'])).toMatch(/without --fresh: it continues/);
    for (const args of [['tables', 'backup.yaml'], ['restore', './vault', '--to', './r'], []])
      expect(hintAfterInterrupt(args)).not.toContain('continues');
  });
});
