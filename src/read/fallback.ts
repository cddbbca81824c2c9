import { TablevaultError } from '../core/errors.ts';
import type { TablePlan } from '../scan/plan.ts';
import { ALL_KEYS } from '../scan/ranges.ts';

/** How a table is read when the instance turned out not to bear its plan: as one stream. Undefined when the error leaves no other way. */
export function fallbackPlan(plan: TablePlan, thrown: unknown): TablePlan | undefined {
  if (!(thrown instanceof TablevaultError)) return undefined;
  const { code, message: reason } = thrown;
  const whole: TablePlan = { ...plan, strategy: 'stream', ranges: [ALL_KEYS], pageRows: null, reason };
  if (code === 'ORDER_DISPROVED' && plan.strategy === 'ranges') return whole;
  if (code === 'REQUEST_REFUSED' && plan.keyColumn !== null) return { ...whole, keyColumn: null };
  if (code === 'END_UNPROVEN' && plan.strategy === 'chain') return whole;
  return undefined;
}
