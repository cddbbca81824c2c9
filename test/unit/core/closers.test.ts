import { describe, expect, it } from 'vitest';
import { createClosers } from '../../../src/core/closers.ts';

describe('closers', () => {
  it('close the last first, once, and all of them even when one fails', async () => {
    const closed: string[] = [];
    const closers = createClosers();
    closers.add(() => void closed.push('first'));
    closers.add(() => Promise.reject(new Error('stuck')));
    closers.add(async () => void closed.push('last'));
    await expect(closers.close()).rejects.toThrow('stuck');
    expect(closed).toEqual(['last', 'first']);
    await closers.close();
    expect(closed).toEqual(['last', 'first']);
  });
});
