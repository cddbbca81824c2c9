/** Questions that a scan asks besides the rows of its table: reads of keys alone, and counts. */
import type { Clock } from '../core/clock.ts';
import { TablevaultError } from '../core/errors.ts';
import { comparator, type KeyOrder, ordersOf } from '../core/key-order.ts';
import { keyAfter, keyBefore } from '../core/key-steps.ts';
import { allOf } from '../odata/filters.ts';
import { compileQuery } from '../odata/query.ts';
import type { Checks, Question, SpanKeys } from '../scan/facts.ts';
import type { Span } from '../scan/held.ts';
import type { ScanKey } from '../scan/key.ts';
import type { TablePlan } from '../scan/plan.ts';
import { ALL_KEYS, isBounded, type KeyRange, rangeFilter } from '../scan/ranges.ts';
import { readAnswer, type Source } from './answer.ts';
import { BatchSink } from './batch-sink.ts';
import { CountKnowledge } from './counts.ts';
import { type HowKeys, type KeyScan, scanKeys } from './keys.ts';
import { queryOf } from './row-query.ts';
import { askSmall, isUnanswered } from './small.ts';
import { holdSpan } from './span.ts';

export interface QuestionContext {
  readonly instance: Source;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export interface Asking {
  readonly plan: TablePlan;
  readonly key: ScanKey | null;
  readonly range: KeyRange;
  readonly checks: Checks;
  /** Tries before this one whose answers contradicted each other. */
  readonly unproven: number;
}

/** The checks with the answer to a question. */
export interface Told {
  readonly checks: Checks;
  readonly requests: number;
}

/** Asks one question. */
export async function askQuestion(step: Question, asking: Asking, context: QuestionContext): Promise<Told> {
  const { checks } = asking;
  const reader = new KeyReader(asking, context);
  const answer = async (): Promise<Checks> => {
    switch (step.do) {
      case 'beyond': {
        const before = checks.beyond?.[step.order] ?? [];
        return { beyond: { ...checks.beyond, [step.order]: [...before, await beyond(reader, step)] } };
      }
      case 'last': {
        const { rows, sample } = await reader.keys(step.range);
        return { last: { rows, next: sample.find((each) => each !== step.last) ?? null } };
      }
      case 'between': {
        const { rows } = await reader.keys(step.range);
        return { between: { ...checks.between, [step.order]: rows } };
      }
      case 'whole': {
        const { rows, sum } = await reader.keys(ALL_KEYS);
        return { whole: { rows, sum } };
      }
      case 'span':
      case 'first':
        return { [step.do]: await reader.hold(step.span, step.orders) };
      case 'again': {
        const { wanted } = await reader.keys(step.range, { wanted: step.holds });
        return { again: { found: wanted > 0 } };
      }
      case 'further':
        return { further: { from: step.from, rows: await reader.countFew({ ge: step.from, le: null }) } };
      case 'count':
        return { count: await countByItself(asking, context, reader) };
      case 'recount':
        return { recount: await recount(asking, context, reader) };
      case 'split':
        return { split: await halves(reader, asking) };
      case 'known':
        return { known: await known(reader) };
    }
  };
  return { checks: { ...checks, ...(await answer()) }, requests: reader.requests };
}

/** Reads keys, and counts the requests. */
class KeyReader {
  requests = 0;
  private readonly asking: Asking;
  private readonly context: QuestionContext;

  constructor(asking: Asking, context: QuestionContext) {
    this.asking = asking;
    this.context = context;
  }

  async keys(range: KeyRange, how: HowKeys = {}): Promise<KeyScan> {
    const { plan, key } = this.asking;
    if (key === null) throw new TablevaultError('BUG', `${plan.table.name} is asked by a key that it does not have`);
    const { table, filter } = plan;
    const { signal, clock, instance } = this.context;
    const scan = await scanKeys({ table, key, filter, range, signal, clock, ...how }, instance);
    this.requests += scan.requests;
    return scan;
  }

  hold(span: Span, orders: readonly KeyOrder[]): Promise<SpanKeys> {
    const { asking, context } = this;
    const { plan, key, range } = asking;
    if (key === null) throw new TablevaultError('BUG', `${plan.table.name} is asked by a key that it does not have`);
    const onRequest = (requests: number) => {
      this.requests += requests;
    };
    return holdSpan(span, orders, { plan, key, range, ...context, keys: (...asked) => this.keys(...asked), onRequest });
  }

  /** Null where the server does not take the question, such as one with an instant in microseconds: then it stays open. */
  async keysIfAnswered(range: KeyRange, how: HowKeys): Promise<KeyScan | null> {
    try {
      return await this.keys(range, how);
    } catch (thrown) {
      if (!isUnanswered(thrown)) throw thrown;
      this.requests++;
      return null;
    }
  }

  /** Of the first page alone, since more may be added than is read. Where it is not answered, something may be there. */
  async countFew(range: KeyRange): Promise<number> {
    const { plan, key } = this.asking;
    if (key === null) return 1;
    const { table } = plan;
    const filter = allOf(plan.filter, rangeFilter(key.column, range));
    const query = compileQuery({ table, select: [key.column], filter, top: 1 });
    this.requests++;
    const { signal, instance } = this.context;
    return (await askSmall(instance, query, { purpose: 'keys', table: table.name, signal }))?.rows.length ?? 1;
  }

  get key(): ScanKey | null {
    return this.asking.key;
  }
}

async function beyond(reader: KeyReader, { range, order, greatest }: Extract<Question, { do: 'beyond' }>) {
  const scan = await reader.keysIfAnswered(range, { wanted: greatest });
  if (scan === null || reader.key === null) return null;
  const compare = comparator(reader.key.type, order);
  return {
    rows: scan.rows,
    greatest: scan.wanted > 0,
    after: scan.sample.find((each) => compare(each, greatest) > 0) ?? null,
  };
}

/** The count of the range with one row of it; null where it is none, or merely that of the answer. */
async function countByItself(
  { plan, range }: Asking,
  { instance, signal }: QuestionContext,
  reader: KeyReader,
): Promise<number | null> {
  const { table } = plan;
  const { select, ...query } = queryOf(plan, range);
  const column = table.key[0] ?? select[0];
  if (column === undefined) return null;
  reader.requests++;
  const answer = await askSmall(instance, compileQuery({ ...query, select: [column], top: 1, count: true }), {
    purpose: 'count',
    table: table.name,
    signal,
  });
  // As many as were asked for: it is the answer that was counted.
  return answer === null || answer.count === null || answer.count <= answer.rows.length ? null : answer.count;
}

/**
 * The count of the range: of one row and with all keys, since what cuts answers, or sets a limit to counts, may do so for either. What one of
 * them counts is there.
 */
async function recount(asking: Asking, context: QuestionContext, reader: KeyReader): Promise<number | null> {
  const { plan, range } = asking;
  const { instance, signal } = context;
  const { table } = plan;
  const query = queryOf(plan, range);
  const column = table.columns.find(({ name }) => name === (table.key[0] ?? query.select[0]));
  if (column === undefined) return null;
  const { select: _, ...rest } = query;
  const ofOne = await countByItself(asking, context, reader);
  const counts = new CountKnowledge(true);
  const spec = { table: table.name, columns: [column], key: [], absentIsNull: true, maxRowBytes: 1024 * 1024 };
  const sink = new BatchSink({ spec, hooks: {}, eager: false, take: async () => {} });
  const asked = { query: { ...rest, select: [column.name] }, range: { ge: null, le: null }, exclude: null, key: null };
  try {
    const all = await readAnswer({ ...asked, goesOn: false, purpose: 'count', signal, counts }, instance, sink);
    reader.requests += all.requests;
    return ofOne === null && all.count === null ? null : Math.max(ofOne ?? 0, all.count ?? 0);
  } catch (thrown) {
    if (!isUnanswered(thrown)) throw thrown;
    reader.requests++;
    return ofOne;
  }
}

/**
 * The proof that needs no order: for any key b, `le b` and `ge b` together hold every row, in whatever total order the server compares. A
 * read that failed before is split at more places.
 */
async function halves(reader: KeyReader, { key, unproven }: Asking): Promise<NonNullable<Checks['split']>> {
  if (key === null) return { whole: 0, sum: 0, halves: null };
  const whole = await reader.keys(ALL_KEYS);
  if (whole.rows < LEAST_IN_HALVES) return ofAFew(reader, key);
  const order = ordersOf(key.type)[0];
  const sorted = order === undefined ? [] : whole.sample.toSorted(comparator(key.type, order));
  const { sum } = whole;
  if (sorted.length === 0) return { whole: whole.rows, sum, halves: whole.rows };
  for (const at of placesOf(unproven)) {
    const middle = sorted[Math.max(1, Math.floor(sorted.length * at))]!;
    const below = await reader.keys({ ge: null, le: middle }, { wanted: middle });
    const above = await reader.keys({ ge: middle, le: null }, { wanted: middle });
    const shared = Math.min(below.alike, above.alike);
    const rows = below.rows + above.rows - shared;
    if (rows > whole.rows) return { whole: whole.rows, sum, halves: rows };
    // A half as long as the whole may have been cut where that was, and halves that share most of their rows tell nothing of either.
    const longest = Math.max(below.rows, above.rows);
    if (longest >= whole.rows || shared * 2 > whole.rows) return { whole: whole.rows, sum, halves: null };
    if (rows !== whole.rows) return { whole: whole.rows, sum, halves: rows };
  }
  return { whole: whole.rows, sum, halves: whole.rows };
}

/** Fewer keys have no halves that are shorter than all of them. */
const LEAST_IN_HALVES = 3;

/**
 * One or two keys are all that there are, or all that answers bring. What cuts answers is asked for what lies around them: up to each and from
 * each on, and where the next keys are known, without them.
 */
async function ofAFew(reader: KeyReader, { type }: ScanKey): Promise<NonNullable<Checks['split']>> {
  const { sum, strangers: all } = await reader.keys(ALL_KEYS, { known: new Set() });
  const known = new Set(all.map(({ hash }) => hash));
  const around = all.flatMap(({ key }) => [
    { ge: null, le: key },
    { ge: key, le: null },
    ...ordersOf(type).flatMap((order) => [
      { ge: null, le: keyBefore(type, key, order) ?? null },
      { ge: keyAfter(type, key, order) ?? null, le: null },
    ]),
  ]);
  const strangers = new Set<number>();
  for (const range of around.filter(isBounded))
    for (const { hash } of (await reader.keys(range, { known })).strangers) strangers.add(hash);
  return { whole: all.length, sum, halves: all.length + strangers.size };
}

/** Where keys are split: at the median, where a cut would be seen soonest, and at a third, since two halves that are cut are as long as each other. */
function placesOf(unproven: number): readonly number[] {
  return [1 / 2, 1 / 3, ...Array.from({ length: unproven }, (_, n) => (n + 1) / (unproven + 2))];
}

/** Lengths of stretches of known keys that are asked for by themselves. */
const STRETCHES = [2, 3, 4, 8, 16, 32, 64];

/**
 * Do keys that came come again, where a few of them are asked for by themselves? What cuts each answer by a share shows there. Null where they
 * are too many to know which are next to each other.
 */
async function known(reader: KeyReader): Promise<boolean | null> {
  const { key } = reader;
  // In what order text is compared is not known.
  if (key === null || key.type.kind === 'text') return null;
  const whole = await reader.keys(ALL_KEYS);
  if (whole.sample.length < whole.rows) return null;
  const comeAgain = async (order: KeyOrder) => {
    const sorted = whole.sample.toSorted(comparator(key.type, order));
    for (const length of STRETCHES.filter((each) => each <= sorted.length)) {
      const start = Math.floor((sorted.length - length) / 2);
      const { rows } = await reader.keys({ ge: sorted[start]!, le: sorted[start + length - 1]! });
      if (rows < length) return false;
    }
    return true;
  };
  for (const order of ordersOf(key.type)) if (await comeAgain(order)) return true;
  return false;
}
