/** Figures of several rounds, summed up without hiding how much they differ. */

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** Least, median and greatest of at least one value. */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('a spread of no values');
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
  return { min: sorted[0]!, median, max: sorted[sorted.length - 1]! };
}

/** Quotients round by round: what the machine does to both sides of a round falls out. */
export function ratios(numerators: readonly number[], denominators: readonly number[]): Spread {
  if (numerators.length !== denominators.length) throw new RangeError('ratios of rounds that are not pairs');
  return spread(numerators.map((value, round) => value / denominators[round]!));
}

/** A value at a time between samples (ascending in time), on the straight line between its neighbours. */
export function interpolate(samples: readonly (readonly [at: number, value: number])[], at: number): number {
  const next = samples.findIndex(([time]) => time >= at);
  if (next === 0) return samples[0]![1];
  if (next < 0) {
    const last = samples.at(-1);
    if (last === undefined) throw new RangeError('no samples');
    return last[1];
  }
  const [t0, v0] = samples[next - 1]!;
  const [t1, v1] = samples[next]!;
  return t1 === t0 ? v1 : v0 + ((v1 - v0) * (at - t0)) / (t1 - t0);
}
