/** Series: which snapshots of a vault belong together. Pure. */
import { TablevaultError } from '../../core/errors.ts';

/**
 * Snapshots of one pipeline of one database. Only they are compared with each other, counted by retention, and continued: a pipeline of
 * the same name that reads another database is another series.
 */
export interface Series {
  /** Name of the pipeline: its file without folder and ending. */
  readonly pipeline: string;
  /** The database's name; where the instance does not tell it, the instance's address. */
  readonly database: string;
}

/** What a manifest tells of where its rows come from. */
export interface Source {
  readonly pipeline: { readonly name: string };
  readonly instance: { readonly url: string; readonly database?: string | null | undefined };
}

/**
 * The series of a manifest. Manifests from before there were series name pipeline, address and, most of them, database: that is theirs.
 */
export function seriesOf({ pipeline, instance }: Source): Series {
  return { pipeline: pipeline.name, database: instance.database ?? addressOf(instance.url) };
}

/** An address of an instance in one spelling, without scheme. */
export function addressOf(url: string): string {
  return url
    .replace(/^https?:\/\//i, '')
    .replace(/\/+$/, '')
    .toLowerCase();
}

export function isSameSeries(a: Series, b: Series): boolean {
  return a.pipeline === b.pipeline && a.database === b.database;
}

/** One name for a series: of its lease, and for people where several have the same pipeline. */
export function seriesName({ pipeline, database }: Series): string {
  return `${pipeline}@${database}`;
}

/** The different ones, in the order in which they come first. */
export function distinctSeries(all: Iterable<Series>): readonly Series[] {
  const byName = new Map<string, Series>();
  for (const series of all) {
    const name = JSON.stringify([series.pipeline, series.database]);
    if (!byName.has(name)) byName.set(name, { pipeline: series.pipeline, database: series.database });
  }
  return [...byName.values()];
}

/** What a person types for a series among others: the pipeline's name, with `@database` where another has the same. */
export function labelOf(series: Series, all: readonly Series[]): string {
  return all.filter(({ pipeline }) => pipeline === series.pipeline).length > 1 ? seriesName(series) : series.pipeline;
}

/**
 * The one series of a vault, or the one that was named: by its pipeline, or as `pipeline@database`. Undefined for a vault without any.
 * @throws TablevaultError USAGE with the names, when there are several and none was named, or the name is of none or of several
 */
export function chooseSeries(all: readonly Series[], wanted: string | undefined): Series | undefined {
  const matching =
    wanted === undefined ? all : all.filter((series) => wanted === series.pipeline || wanted === seriesName(series));
  const [only, ...others] = matching;
  if (only !== undefined && others.length === 0) return only;
  if (all.length === 0 && wanted === undefined) return undefined;
  const names = all.map((series) => labelOf(series, all)).join(', ');
  if (only === undefined) {
    throw new TablevaultError('USAGE', `the vault holds no snapshot of a pipeline ${wanted}`, {
      hint: all.length === 0 ? 'It holds no snapshot at all.' : `It holds snapshots of: ${names}.`,
    });
  }
  throw new TablevaultError(
    'USAGE',
    wanted === undefined
      ? 'the vault holds snapshots of several pipelines or databases'
      : `the vault holds snapshots of several databases by the pipeline ${wanted}`,
    { hint: `Name one with --pipeline: ${names}.` },
  );
}
