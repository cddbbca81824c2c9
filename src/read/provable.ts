/** What a read of each table will be worth on this instance, as far as one can say before: by the rules, and in the words, of the manifest. */
import type { TableSchema } from '../core/schema.ts';
import { compileQuery } from '../odata/query.ts';
import { NO_COUNT } from '../scan/counts.ts';
import type { ScanKey } from '../scan/key.ts';
import { type Capabilities, usableKey } from '../scan/plan.ts';
import { rangeFilter } from '../scan/ranges.ts';
import { type Verdict, verdictOf } from '../scan/verdict.ts';
import type { Source } from './answer.ts';
import { keyText, type OpenQuestion, openQuestionText } from './hidden-rows.ts';
import type { ChosenTable } from './plan.ts';
import { askSmall } from './small.ts';
import { keyProblemOf, mustBeRefused } from './table.ts';

export interface Prospect extends Verdict {
  /** Why the run will refuse the table, although each read of it succeeds; null where it will not. */
  readonly refusal: string | null;
}

export interface ProspectDeps {
  readonly instance: Source;
  readonly capabilities: Capabilities;
  readonly signal: AbortSignal;
}

/** A table, with the questions on hidden rows that the instance left open, where it was asked. */
export type Foreseen = ChosenTable & { readonly open?: readonly OpenQuestion[] };

/** By name of the table. */
export async function prospectsOf(
  tables: readonly Foreseen[],
  deps: ProspectDeps,
): Promise<ReadonlyMap<string, Prospect>> {
  const { capabilities } = deps;
  const { count } = capabilities;
  const keyed = tables.flatMap(({ table, columns }) => {
    const key = usableKey(table, columns, capabilities);
    return key === null ? [] : [{ table, key }];
  });
  const refused = await refusedKinds(keyed, deps);
  const prospects = new Map<string, Prospect>();
  for (const foreseen of tables) {
    const { table, columns, open = [] } = foreseen;
    const usable = usableKey(table, columns, capabilities);
    const key = usable === null || refused.has(kindOf(usable)) ? null : usable;
    const proof = key !== null ? 'closing-read' : count === true ? 'count' : 'none';
    const tasks = [{ proof, evidence: proof === 'none' ? NO_COUNT : null, duplicatesRuledOut: true }] as const;
    const keyProblem = keyProblemOf(foreseen, key, false);
    const evidence = { keyed: table.key.length > 0, keyProblem, tasks };
    const verdict = verdictOf({ ...evidence, open: open.map(stillOpenText) });
    const refusal = mustBeRefused(foreseen, tasks)
      ? `it can be neither proven nor counted: ${verdictOf({ ...evidence, open: [] }).reasons.join('; ')}`
      : null;
    prospects.set(table.name, { ...verdict, refusal });
  }
  return prospects;
}

/** A row that comes may answer the question: that is not promised before. */
function stillOpenText(question: OpenQuestion): string {
  return `${openQuestionText(question)}${question.rowsTell ? ' (one such row that comes will answer it)' : ''}`;
}

interface KeyedTable {
  readonly table: TableSchema;
  readonly key: ScanKey;
}

/** Instances take filters on columns by their type, and not on parts of a key that are taken on a whole one. */
function kindOf({ type, composite }: ScanKey): string {
  return `${composite ? 'composite ' : ''}${type.kind}`;
}

/** Tables of a kind that are tried until one has a row. */
const TABLES_TRIED = 3;

/** Kinds of keys on which the instance takes no filters, or does not apply them: asked of one table of each kind. */
async function refusedKinds(
  tables: readonly KeyedTable[],
  { instance, signal, capabilities: { keyFilter } }: ProspectDeps,
): Promise<ReadonlySet<string>> {
  const known = new Set(keyFilter === true ? ['guid'] : []);
  const tries = new Map<string, number>();
  const refused = new Set<string>();
  for (const { table, key } of tables) {
    const kind = kindOf(key);
    const before = tries.get(kind) ?? 0;
    if (known.has(kind) || before === TABLES_TRIED) continue;
    tries.set(kind, before + 1);
    const told = await tryFilter(table, key);
    if (told === null) continue;
    known.add(kind);
    // Asked again before it is believed: a row that was deleted meanwhile comes by no filter.
    if (told === 'refused' || (told === 'not applied' && (await tryFilter(table, key)) === told)) refused.add(kind);
  }
  return refused;

  /** Asked for a row by its key, does the instance give rows of that key alone? Null where there is no row to ask for. */
  async function tryFilter(
    table: TableSchema,
    { column, type }: ScanKey,
  ): Promise<'applied' | 'not applied' | 'refused' | null> {
    const keys = async (query: string) => {
      const answer = await askSmall(instance, query, { purpose: 'probe', table: table.name, signal });
      return answer?.rows.map((row) => keyText(row[column], type));
    };
    const [first] = (await keys(compileQuery({ table, select: [column], top: 1 }))) ?? [];
    if (first === undefined) return null;
    const filter = rangeFilter(column, { ge: String(first), le: String(first) });
    const found = await keys(compileQuery({ table, select: [column], filter, top: 2 }));
    if (found === undefined) return 'refused';
    return found.length > 0 && found.every((key) => key === first) ? 'applied' : 'not applied';
  }
}
