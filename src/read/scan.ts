/** Reads one range of a table: does what the evidence asks for, step by step, until the end is proven or refused. */
import { hasCode, TablevaultError } from '../core/errors.ts';
import type { TaskSink } from '../parquet/task.ts';
import { nextStep } from '../scan/evidence.ts';
import type { Checks, Proof, ScanFacts, Step } from '../scan/facts.ts';
import { heldAgainst, hold, keepsOrder, nothingHeld } from '../scan/held.ts';
import { scanKeyOf } from '../scan/key.ts';
import type { TablePlan } from '../scan/plan.ts';
import type { KeyRange } from '../scan/ranges.ts';
import { type Answer, readAnswer, type Source } from './answer.ts';
import type { CountKnowledge } from './counts.ts';
import { askQuestion, type QuestionContext } from './questions.ts';
import { queryOf } from './row-query.ts';

/** Why a table with a key is held against counts alone. */
export const NO_KEY_FILTERS = 'the instance takes no filters on its key';

export interface Scan {
  readonly proof: Proof;
  readonly evidence: string | null;
  readonly facts: ScanFacts;
  readonly requests: number;
}

export interface ScanRequest {
  readonly plan: TablePlan;
  readonly range: KeyRange;
  readonly sink: TaskSink;
  /** Tries before this one whose answers contradicted each other: each makes this one need more proof. */
  readonly unproven: number;
  /** Rows of the range that are known to have been there in this run. */
  readonly seen: number;
  /** Rows of the range that were counted before; told of those that are counted after a read that is not believed. */
  readonly counted: number | null;
  readonly onCounted: (rows: number) => void;
  /** Bytes of body as they come, and the rows that came so far. */
  readonly onBytes: (bytes: number) => void;
  readonly onRows: (rows: number) => void;
}

export interface ScanContext extends QuestionContext {
  readonly instance: Source;
  readonly counts: CountKnowledge;
  /** Told of a table of which rows came after an answer that looked whole. */
  readonly onCut?: (table: string) => void;
}

/**
 * Sends the rows of a range through a sink.
 *
 * @throws END_UNPROVEN when answers contradict each other; ORDER_DISPROVED when the server does not compare keys as was thought; what
 * `readAnswer` throws
 */
export async function scanRange(request: ScanRequest, context: ScanContext): Promise<Scan> {
  const { plan, range, seen, unproven, onRows } = request;
  const { counts } = context;
  let held = nothingHeld(plan.key ?? scanKeyOf(plan.table, plan.columns));
  let checks: Checks = {};
  let nothingFrom = null as ScanFacts['nothingFrom'];
  let { key } = plan;
  let keyRefused = false;
  let requests = 0;
  for (;;) {
    const facts: ScanFacts = {
      range,
      key,
      held,
      checks,
      nothingFrom,
      countsTables: counts.countsTables,
      countAsked: counts.mayAsk || held.first?.count != null,
      counted: request.counted,
      witness: witnessOf(plan),
      seen,
      mustCount: plan.mustCount === true,
    };
    const step = nextStep(facts);
    switch (step.do) {
      case 'read':
        try {
          const answer = await readRows(request, step, held.answers === 0 ? 'rows' : 'closing read', context);
          requests += answer.requests;
          const { last } = held;
          if (last !== null && !last.more && last.rows > 0 && answer.rows > 0) context.onCut?.(plan.table.name);
          held = hold(held, answer);
          if (answer.rows > 0) checks = {};
          // Without an order, some rows may have come twice.
          onRows(keepsOrder(held) ? held.rows : Math.min(held.rows, held.first?.count ?? held.rows));
        } catch (thrown) {
          // Filters on this key are refused: what came is whole as far as the answer says, and only counts can tell more.
          if (!hasCode(thrown, 'REQUEST_REFUSED') || held.last === null || held.last.more) throw thrown;
          requests++;
          key = null;
          keyRefused = true;
        }
        break;
      case 'proven':
        return { proof: step.by, evidence: keyRefused ? `${NO_KEY_FILTERS}; ${step.why}` : step.why, facts, requests };
      case 'refuse':
        if (step.counted !== undefined) request.onCounted(step.counted);
        if (checks.again?.found === false) context.onCut?.(plan.table.name);
        throw unprovenError(plan, step);
      case 'disproved':
        throw disproved(plan, step.why);
      default: {
        const told = await askQuestion(step, { plan, key, range, checks, unproven }, context);
        requests += told.requests;
        checks = told.checks;
        if (step.do === 'span') held = heldAgainst(held);
        if (step.do === 'further')
          nothingFrom =
            checks.further?.rows === 0
              ? { key: step.from, times: nothingFrom?.key === step.from ? nothingFrom.times + 1 : 1 }
              : null;
      }
    }
  }
}

/** Of one range nobody else tells. */
function witnessOf({ ranges, estimate }: TablePlan): number | null {
  return ranges.length > 1 || estimate === null || estimate.source === 'keys' ? null : estimate.rows;
}

function readRows(
  { plan, sink, onBytes }: ScanRequest,
  { range, exclude }: Extract<Step, { do: 'read' }>,
  purpose: string,
  { counts, signal, instance }: ScanContext,
): Promise<Answer> {
  const query = queryOf(plan, range);
  const key = scanKeyOf(plan.table, plan.columns);
  return readAnswer(
    { query, range, exclude, key, goesOn: plan.key?.leads === true, purpose, signal, counts, remembers: true, onBytes },
    instance,
    sink,
  );
}

function disproved(plan: TablePlan, why: string): TablevaultError {
  return new TablevaultError('ORDER_DISPROVED', `${plan.table.name}: ${why}`, {
    at: { table: plan.table.name },
    hint: 'The instance does not compare or filter keys as was thought; the table is read another way.',
  });
}

function unprovenError(plan: TablePlan, { why, twice, hopeless }: Extract<Step, { do: 'refuse' }>): TablevaultError {
  return new TablevaultError('END_UNPROVEN', `${plan.table.name}: its read cannot be trusted: ${why}`, {
    at: { table: plan.table.name },
    retryable: hopeless !== true,
    hint:
      twice === true
        ? 'Rows may have moved between pages while they were read: run again, at a quieter time. If it happens each time, the instance sends rows twice: report it to whoever runs it.'
        : 'Rows may have changed meanwhile, or the rights of the identity cut its answers: check its "Show more than … rows" permissions.',
  });
}
