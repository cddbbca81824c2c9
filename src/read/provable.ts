/** What a read of each table will be worth on this instance, as far as one can say before: the words of the manifest. */
import type { TableSchema } from '../core/schema.ts';
import { compileQuery } from '../odata/query.ts';
import type { ScanKey } from '../scan/key.ts';
import { type Capabilities, usableKey } from '../scan/plan.ts';
import { rangeFilter } from '../scan/ranges.ts';
import type { Consistency } from '../scan/verdict.ts';
import type { Source } from './answer.ts';
import { keyText } from './hidden-rows.ts';
import type { ChosenTable } from './plan.ts';
import { askSmall } from './small.ts';

export interface Prospect {
  readonly consistency: Consistency;
  /** Why the run will refuse the table, although each read of it succeeds; null where it will not. */
  readonly refusal: string | null;
}

export interface ProspectDeps {
  readonly instance: Source;
  readonly capabilities: Capabilities;
  readonly signal: AbortSignal;
}

/** By name of the table. Where the instance takes no filters on GUIDs, other keys are tried one by one: some of them it may take. */
export async function prospectsOf(
  chosen: readonly ChosenTable[],
  { instance, capabilities, signal }: ProspectDeps,
): Promise<ReadonlyMap<string, Prospect>> {
  const { count, keyFilter } = capabilities;
  const prospects = new Map<string, Prospect>();
  for (const { table, columns, accept } of chosen) {
    const key = usableKey(table, columns, capabilities);
    const asked = key !== null && (keyFilter !== false || (await takesFilter(key, table)));
    const consistency = asked ? 'exact' : count === true ? 'counted' : 'best-effort';
    const refused = !asked && count === false && table.key.length > 0 && accept === undefined;
    prospects.set(table.name, { consistency, refusal: refused ? UNPROVABLE : null });
  }
  return prospects;

  async function takesFilter({ column, type }: ScanKey, table: TableSchema): Promise<boolean> {
    const keys = async (query: string) => {
      const answer = await askSmall(instance, query, { purpose: 'probe', table: table.name, signal });
      return answer?.rows.map((row) => keyText(row[column], type)) ?? [];
    };
    const [first] = await keys(compileQuery({ table, select: [column], top: 1 }));
    if (first === undefined) return true;
    const filter = rangeFilter(column, { ge: String(first), le: String(first) });
    const found = await keys(compileQuery({ table, select: [column], filter, top: 2 }));
    return found.length > 0 && found.every((key) => key === first);
  }
}

const UNPROVABLE =
  'it can be neither proven nor counted, since the instance takes no filters on its key and offers no count';
