/** The step of `doctor` that says which tables a snapshot would refuse, or not call exact. */
import { TablevaultError } from '../../core/errors.ts';
import { plural, shareOf } from '../../core/words.ts';
import { acceptHint } from '../../read/accept.ts';
import { prospectsOf } from '../../read/provable.ts';
import type { Probed } from './probes.ts';
import type { RightsOptions } from './rights.ts';
import type { StepFinding } from './steps.ts';

/** Names that a line lists. */
const NAMES_SHOWN = 10;

/** @throws END_UNPROVEN when the snapshot would refuse tables for want of a proof */
export async function foreseeProofs(
  { instance, chosen, probe, signal }: RightsOptions,
  { open }: Pick<Probed, 'open'>,
): Promise<StepFinding> {
  const foreseen = chosen.map((each) => ({ ...each, open: open.get(each.table.name) ?? [] }));
  const prospects = [...(await prospectsOf(foreseen, { instance, capabilities: probe.capabilities, signal }))];
  const refused = prospects.filter(([, { refusal }]) => refusal !== null).map(([name]) => name);
  if (refused.length > 0) {
    throw new TablevaultError(
      'END_UNPROVEN',
      `${shareOf(refused.length, prospects.length, 'table')} can be neither proven nor counted, so a snapshot refuses them: ${shown(refused)}`,
      {
        hint: `Filters on keys, or counts, would prove or count them: ask the administrator for one of them. ${acceptHint(refused)}`,
      },
    );
  }
  const exact = prospects.filter(([, { consistency }]) => consistency === 'exact').length;
  const groups = new Map<string, string[]>();
  for (const [name, { consistency, reasons }] of prospects) {
    if (consistency === 'exact') continue;
    const said = `${consistency}, not exact: ${reasons.join('; ')}`;
    groups.set(said, [...(groups.get(said) ?? []), name]);
  }
  return {
    found:
      exact === prospects.length
        ? `the reads of ${plural(exact, 'table')} can be proven`
        : `the reads of ${shareOf(exact, prospects.length, 'table')} can be proven`,
    details: [...groups].map(([said, names]) => `${shown(names)}: ${said}`),
    value: undefined,
  };
}

function shown(names: readonly string[]): string {
  return `${names.slice(0, NAMES_SHOWN).join(', ')}${names.length > NAMES_SHOWN ? ', …' : ''}`;
}
