/** Which table and columns `extract` reads, and which of them it writes. */
import { TablevaultError } from '../../core/errors.ts';
import { printableName } from '../../core/names.ts';
import { nearNames } from '../../core/near-names.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import type { Column, TableSchema } from '../../core/schema.ts';
import type { Model } from '../../odata/metadata.ts';
import { selectColumns, tableProblem, typeRead } from '../../odata/select.ts';
import { fingerprintOf } from '../../read/fingerprint.ts';
import type { ChosenTable } from '../../read/plan.ts';

export interface ExtractChoice extends ChosenTable {
  /** Names of the columns to write, in order; all are among `columns`. */
  readonly output: readonly string[];
}

/**
 * The table, which need not be among those of the pipeline. Without `select` its columns are those that a snapshot would hold; with it, just
 * those named (the key is read besides, to prove the end). The pipeline's filter of the table holds in any case.
 *
 * @throws TABLE_UNKNOWN, USAGE with near names
 */
export function chooseExtract(
  model: Model,
  pipeline: Pipeline,
  name: string,
  select: readonly string[] | undefined,
  sensitive: readonly string[],
): ExtractChoice {
  const declared = model.tables.find((each) => each.name === name);
  if (declared === undefined) throw unknownTable(name, model);
  const problem = tableProblem(
    declared,
    model.tables.map((each) => each.name),
  );
  if (problem !== undefined) {
    throw new TablevaultError('INSTANCE_ANSWER', `the table ${printableName(name)} cannot be read: ${problem}`, {
      hint: 'Report it to the vendor.',
    });
  }
  const override = pipeline.tables.overrides[name];
  const usual = selectColumns(declared, override, sensitive);
  const { table } = usual;
  const output = select === undefined ? usual.columns.map((column) => column.name) : namedColumns(table, select);
  const wanted = new Set([...output, ...table.key]);
  const columns: readonly Column[] = table.columns
    .filter((column) => wanted.has(column.name))
    .map((column) => typeRead(table, override, column));
  return {
    table,
    columns,
    output,
    leftOut: select === undefined ? usual.leftOut : [],
    filter: override?.filter === undefined ? undefined : { op: 'text', text: override.filter },
    accept: override?.accept,
    fingerprint: fingerprintOf(columns, table.key, pipeline.parquet.types),
  };
}

function namedColumns(table: TableSchema, select: readonly string[]): readonly string[] {
  const names = table.columns.map((column) => column.name);
  const seen = new Set<string>();
  for (const name of select) {
    if (!names.includes(name)) {
      const near = nearNames(name, names);
      throw new TablevaultError('USAGE', `--select: ${table.name} has no column ${printableName(name)}`, {
        hint: near.length > 0 ? `Near names: ${near.join(', ')}.` : `Columns: ${names.slice(0, 20).join(', ')}.`,
      });
    }
    if (seen.has(name)) throw new TablevaultError('USAGE', `--select names ${name} twice`, { hint: 'Name it once.' });
    seen.add(name);
  }
  return select;
}

function unknownTable(name: string, model: Model): TablevaultError {
  const near = nearNames(
    name,
    model.tables.map((each) => each.name),
  );
  return new TablevaultError('TABLE_UNKNOWN', `the instance offers no table ${printableName(name)}`, {
    hint: near.length > 0 ? `Near names: ${near.join(', ')}.` : '`tablevault tables` lists what the instance offers.',
  });
}
