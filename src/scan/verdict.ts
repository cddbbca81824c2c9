/** What a manifest says of a table: exact, counted or best-effort, and why. Pure. */
import type { Proof } from './facts.ts';

/**
 * `exact`: the end of every read is proven by key, nothing contradicts it, no question that could hide rows is open. `counted`: as many rows
 * as the instance counts, but no proof by key. `best-effort`: complete answers, and nothing to hold them against.
 */
export type Consistency = 'exact' | 'counted' | 'best-effort';

export interface TaskEvidence {
  readonly proof: Proof;
  /** What there is to say of the proof. */
  readonly evidence: string | null;
  /** Was it looked for rows that came twice, or did they come in order? */
  readonly duplicatesRuledOut: boolean;
}

export interface TableEvidence {
  /** Has the table a key? */
  readonly keyed: boolean;
  /** Why its rows cannot be asked for by a key; null where they can. */
  readonly keyProblem: string | null;
  readonly tasks: readonly TaskEvidence[];
  /** Questions that stayed without an answer, and whose answer could show that rows are hidden. */
  readonly open: readonly string[];
}

export interface Verdict {
  readonly consistency: Consistency;
  /** What keeps it from being exact; empty where it is. */
  readonly reasons: readonly string[];
}

export function verdictOf({ keyed, keyProblem, tasks, open }: TableEvidence): Verdict {
  const unproven = tasks.filter(({ proof }) => proof === 'count' || proof === 'none');
  const mixed = keyed && tasks.some((task) => !task.duplicatesRuledOut);
  const reasons = [
    ...(keyProblem !== null && (unproven.length > 0 || !keyed) ? [keyProblem] : []),
    ...new Set(unproven.map(({ evidence }) => evidence).filter((text) => text !== null)),
    ...(mixed ? ['its rows came in no order, and went out before it could be seen whether one came twice'] : []),
    ...open,
  ];
  if (open.length > 0 || mixed || unproven.some(({ proof }) => proof === 'none'))
    return { consistency: 'best-effort', reasons };
  return unproven.length > 0 || !keyed ? { consistency: 'counted', reasons } : { consistency: 'exact', reasons: [] };
}
