/** What the instance's documentation leaves open, asked of the instance itself. */
import { hasCode } from '../../core/errors.ts';
import type { TableSchema } from '../../core/schema.ts';
import { plural } from '../../core/words.ts';
import type { Instance } from '../../instance/open.ts';
import { compileQuery } from '../../odata/query.ts';
import { findHiddenRows, hasDefaultFilter, type OpenQuestion } from '../../read/hidden-rows.ts';
import { openAfterSome } from '../../read/open-questions.ts';
import type { ChosenTable } from '../../read/plan.ts';
import { type ProbeResult, probeInstance } from '../../read/probe.ts';
import { askSmall } from '../../read/small.ts';
import type { StepFinding } from './steps.ts';

/** Each null where no table was fit to tell. */
export interface ProbeAnswers {
  readonly pageLinks: boolean | null;
  readonly top: boolean | null;
  readonly count: boolean | null;
  readonly keyFilters: boolean | null;
  readonly tableInfo: boolean;
  readonly nullsLeftOut: boolean;
  /** Content coding of answers, `identity` for none. */
  readonly compression: string;
  /** Tables of which an unfiltered read hides rows, of those tried. */
  readonly defaultFilters: {
    readonly tried: number;
    readonly hiding: readonly string[];
    /** Tables of which it could not be asked. */
    readonly unknown: readonly string[];
  };
  /** Do texts depend on `Accept-Language`? */
  readonly language: 'fixed' | 'by Accept-Language' | null;
}

export interface Probed {
  readonly probe: ProbeResult;
  readonly answers: ProbeAnswers;
  /** By table: questions on hidden rows that the instance left open. */
  readonly open: ReadonlyMap<string, readonly OpenQuestion[]>;
}

/** Tables tried for default filters, and for languages. */
const FILTERS_TRIED = 50;
const LANGUAGES_TRIED = 6;
const LANGUAGE_ROWS = 5;

export async function askProbes(
  instance: Instance,
  chosen: readonly ChosenTable[],
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<StepFinding<Probed>> {
  const probe = await probeInstance(instance, chosen, signal);
  const { top, nextLink, count, keyFilter, absentIsNull } = probe.capabilities;
  const { defaultFilters, open } = await askDefaultFilters(instance, chosen, probe, signal);
  const answers: ProbeAnswers = {
    pageLinks: nextLink,
    top,
    count,
    keyFilters: keyFilter,
    tableInfo: probe.tableRows !== null,
    nullsLeftOut: absentIsNull,
    compression: headers['content-encoding'] ?? 'identity',
    defaultFilters,
    language: await askLanguage(instance, chosen, probe, signal),
  };
  const asked = probe.table === null ? 'no table has enough rows to tell' : `asked of ${probe.table}`;
  const finding = { found: asked, details: linesOf(answers), value: { probe, answers, open } };
  const fixes = [
    ...(keyFilter === false
      ? [
          'Without filters on keys, each large table is read in one response, which takes long and cannot be divided: ask the administrator.',
        ]
      : []),
    ...(answers.defaultFilters.unknown.length > 0
      ? [
          'Rows that the instance may hide by itself could be missing from a snapshot, which then calls these tables best-effort: ask the administrator whether such filters are in force.',
        ]
      : []),
  ];
  return fixes.length === 0 ? finding : { ...finding, fix: fixes.join(' ') };
}

async function askDefaultFilters(
  instance: Instance,
  chosen: readonly ChosenTable[],
  { capabilities }: ProbeResult,
  signal: AbortSignal,
): Promise<Pick<ProbeAnswers, 'defaultFilters'> & Pick<Probed, 'open'>> {
  const fit = chosen.filter(({ table }) => table.columns.some(hasDefaultFilter));
  const tried = fit.slice(0, FILTERS_TRIED);
  const hiding: string[] = [];
  const open = new Map<string, readonly OpenQuestion[]>();
  for (const each of tried) {
    const { table, filter } = each;
    try {
      const found = await findHiddenRows(table, filter, { instance, capabilities, signal });
      if (found.groups.length > 0) hiding.push(table.name);
      const left = await openAfterSome(each, found, { instance, capabilities, signal });
      if (left.length > 0) open.set(table.name, left);
    } catch (thrown) {
      if (!hasCode(thrown, 'END_UNPROVEN')) throw thrown;
      hiding.push(table.name);
    }
  }
  return { defaultFilters: { tried: tried.length, hiding, unknown: [...open.keys()] }, open };
}

/** Reads some names in two languages; where both are the same in all tables tried, the language is thought to be fixed. */
async function askLanguage(
  instance: Instance,
  chosen: readonly ChosenTable[],
  { tableRows }: ProbeResult,
  signal: AbortSignal,
): Promise<ProbeAnswers['language']> {
  const fit = chosen
    .filter(({ table, columns }) => namesOf(columns).length > 0 && (tableRows?.get(table.name) ?? 1) > 0)
    .slice(0, LANGUAGES_TRIED);
  let told = false;
  for (const { table, columns } of fit) {
    const english = await rowsIn('en', instance, table, namesOf(columns), signal);
    const bulgarian = await rowsIn('bg', instance, table, namesOf(columns), signal);
    if (english === null || bulgarian === null) continue;
    if (english !== bulgarian) return 'by Accept-Language';
    told = true;
  }
  return told ? 'fixed' : null;
}

function namesOf(columns: ChosenTable['columns']): readonly string[] {
  return columns
    .filter(({ name, type }) => type.kind === 'text' && /name|description|title/i.test(name))
    .map(({ name }) => name)
    .slice(0, 5);
}

async function rowsIn(
  acceptLanguage: string,
  instance: Instance,
  table: TableSchema,
  select: readonly string[],
  signal: AbortSignal,
): Promise<string | null> {
  const query = compileQuery({ table, select, top: LANGUAGE_ROWS });
  const answer = await askSmall(instance, query, { purpose: 'language', table: table.name, acceptLanguage, signal });
  return answer === null ? null : JSON.stringify(answer.rows);
}

function linesOf(answers: ProbeAnswers): readonly string[] {
  const word = (value: boolean | null) => (value === null ? 'unknown' : value ? 'yes' : 'no');
  const { tried } = answers.defaultFilters;
  const language =
    answers.language === null
      ? 'unknown'
      : answers.language === 'fixed'
        ? 'the same in every language asked for'
        : 'chosen by Accept-Language; en is always asked for';
  return [
    `pages carry a next link: ${word(answers.pageLinks)}`,
    `$top is respected: ${word(answers.top)}`,
    `$count: ${word(answers.count)}`,
    `filters on keys: ${word(answers.keyFilters)}`,
    `Dmv_Table_Info can be read: ${word(answers.tableInfo)}`,
    `nulls are left out of rows: ${word(answers.nullsLeftOut)}`,
    `compression: ${answers.compression}`,
    tried === 0
      ? 'default filters: no table has a column that is known for them'
      : `default filters: ${filtersText(answers.defaultFilters)}`,
    `texts: ${language}`,
  ];
}

function filtersText({ tried, hiding, unknown }: ProbeAnswers['defaultFilters']): string {
  const found = [
    ...(hiding.length === 0
      ? []
      : [`unfiltered reads hide rows of ${hiding.join(', ')}; a snapshot asks for them by name`]),
    ...(unknown.length === 0 ? [] : [`it could not be asked whether rows of ${unknown.join(', ')} are hidden`]),
  ];
  return found.length === 0 ? `none in ${plural(tried, 'table')} tried` : found.join('; ');
}
