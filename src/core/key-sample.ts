/** Some keys of many. */
import type { Key } from './key-order.ts';

/** Draws evenly from a stream of keys of unknown length: every n-th, n doubling whenever the sample is full. */
export class KeySampler {
  private readonly most: number;
  private step = 1;
  private kept: Key[] = [];
  count = 0;

  constructor(most: number) {
    this.most = most;
  }

  /** Is the next key one to keep? Asked once for each key; spares making text of the others. */
  wants(): boolean {
    return this.count++ % this.step === 0;
  }

  add(key: Key): void {
    this.kept.push(key);
    if (this.kept.length < this.most) return;
    this.kept = this.kept.filter((_, index) => index % 2 === 0);
    this.step *= 2;
  }

  sample(): readonly Key[] {
    return this.kept;
  }
}
