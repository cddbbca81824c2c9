/** The step of `doctor` that says which tables a snapshot would refuse, or not call exact. */
import { TablevaultError } from '../../core/errors.ts';
import { plural, shareOf } from '../../core/words.ts';
import { acceptHint } from '../../read/accept.ts';
import { prospectsOf } from '../../read/provable.ts';
import type { Consistency } from '../../scan/verdict.ts';
import type { RightsOptions } from './rights.ts';
import type { StepFinding } from './steps.ts';

/** Names that a line lists. */
const NAMES_SHOWN = 10;

/** @throws END_UNPROVEN when the snapshot would refuse tables for want of a proof */
export async function foreseeProofs({ instance, chosen, probe, signal }: RightsOptions): Promise<StepFinding> {
  const prospects = [...(await prospectsOf(chosen, { instance, capabilities: probe.capabilities, signal }))];
  const refused = prospects.filter(([, { refusal }]) => refusal !== null).map(([name]) => name);
  if (refused.length > 0) {
    throw new TablevaultError(
      'END_UNPROVEN',
      `${shareOf(refused.length, prospects.length, 'table')} can be neither proven nor counted, so a snapshot refuses them: ${shown(refused)}`,
      {
        hint: `The instance takes no filters on keys and offers no count: ask the administrator for one of them. ${acceptHint(refused)}`,
      },
    );
  }
  const of = (wanted: Consistency) =>
    prospects.filter(([, { consistency }]) => consistency === wanted).map(([name]) => name);
  const exact = of('exact').length;
  const others = (['counted', 'best-effort'] as const).flatMap((each) =>
    of(each).length === 0 ? [] : [`${each}, not exact: ${shown(of(each))}`],
  );
  return {
    found:
      exact === prospects.length
        ? `the reads of ${plural(exact, 'table')} can be proven`
        : `the reads of ${shareOf(exact, prospects.length, 'table')} can be proven`,
    details: others,
    value: undefined,
  };
}

function shown(names: readonly string[]): string {
  return `${names.slice(0, NAMES_SHOWN).join(', ')}${names.length > NAMES_SHOWN ? ', …' : ''}`;
}
