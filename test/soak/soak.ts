/** Runs cases, some at a time, until they are done or the time is up. */
import { allCases, pairCases } from './cases.ts';
import { evidenceCases, evidencePairs } from './evidence-cases.ts';
import { runCase, type SoakCase, type SoakResult } from './run-case.ts';

export interface SoakOptions {
  readonly seed: number;
  /** No case is begun later than this. */
  readonly budgetMs: number;
  readonly parallel: number;
  /** Pairs beside the fixed cases. */
  readonly pairs: number;
  /** Only cases whose name matches. */
  readonly only?: RegExp | undefined;
  /** Every n-th of the fixed cases, from an offset that the seed gives; 1 for all. */
  readonly every: number;
  /** The same of the single faults, which are most of the fixed cases. Default: `every`. */
  readonly everyFault?: number;
  /** Also what the reader must prove of awkward servers, with so many pairs of them; null leaves all of it out. */
  readonly evidencePairs: number | null;
  readonly onBegin?: (one: SoakCase) => void;
  readonly onResult?: (result: SoakResult) => void;
}

export interface Soak {
  readonly results: readonly SoakResult[];
  readonly skipped: number;
}

export async function soak(options: SoakOptions): Promise<Soak> {
  const { seed, budgetMs, parallel, pairs, only, every, onBegin, onResult } = options;
  const until = Date.now() + budgetMs;
  const fixed = allCases().filter((one, index) => {
    const nth = one.group === 'fault' ? (options.everyFault ?? every) : every;
    return index % nth === seed % nth;
  });
  const evidence = options.evidencePairs === null ? [] : evidenceCases();
  // When the time is up before the end, some pairs of both kinds were tried.
  const drawn = alternate(pairCases(seed, pairs), evidencePairs(seed, options.evidencePairs ?? 0));
  const cases = [...fixed, ...evidence, ...drawn].filter((one) => only === undefined || only.test(label(one)));
  const results: SoakResult[] = [];
  let next = 0;
  const reader = async () => {
    while (next < cases.length && Date.now() < until) {
      const one = cases[next++]!;
      onBegin?.(one);
      const result = await runCase(one);
      results.push(result);
      onResult?.(result);
    }
  };
  await Promise.all(Array.from({ length: parallel }, reader));
  return { results, skipped: cases.length - results.length };
}

/** The elements of both lists, by turns. */
function alternate<T>(a: readonly T[], b: readonly T[]): readonly T[] {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => [
    ...a.slice(i, i + 1),
    ...b.slice(i, i + 1),
  ]).flat();
}

export function label(one: SoakCase): string {
  return `${one.group}: ${one.name}`;
}
