/** The rule of `exact` and `best-effort`. */
import type { Proof } from './end.ts';

/** What a manifest, a plan and an extract say of a table. */
export type Consistency = 'exact' | 'best-effort';

export interface ConsistencyInput {
  /** Has the table a key, so that no row can have come twice unseen? */
  readonly keyed: boolean;
  /** How the end of each of its reads was proven, or will be if all goes well. */
  readonly proofs: readonly Proof[];
  /** Was it looked for keys that came twice, or did the keys come in order? Default true. */
  readonly duplicatesRuledOut?: boolean;
}

/** `exact` only when every end is proven and no row can have come twice. */
export function consistencyOf({ keyed, proofs, duplicatesRuledOut = true }: ConsistencyInput): Consistency {
  const proven = proofs.every((proof) => proof !== 'none' && proof !== 'short-page');
  return keyed && proven && duplicatesRuledOut ? 'exact' : 'best-effort';
}
