/** What became of each table of a run, as far as it has come: what the manifest and the report are made of. */
import { TablevaultError } from '../../core/errors.ts';
import { sentence, shareOf } from '../../core/words.ts';
import { acceptHint, UnprovableError } from '../../read/accept.ts';
import type { ChosenTable, PlannedTable } from '../../read/plan.ts';
import type { TableEntry } from '../../vault/chain/manifest.ts';
import { isRefusal } from './refusal.ts';
import { doneTable, emptyTable, type FailedTable, failedTable, type TableReport } from './report.ts';

/** The plan of a table with what its rows may carry beside what is read among its warnings: the manifest tells it. */
export function tellNotRead(planned: PlannedTable): PlannedTable {
  const { notRead = [] } = planned.table;
  return notRead.length === 0 ? planned : { ...planned, warnings: [...notRead, ...planned.warnings] };
}

/** Names of failed tables that a message lists. */
const NAMES_SHOWN = 10;

const ONLY_MISSING = 'Running again reads only what is missing, unless the pipeline was changed.';
const ANEW = 'Running again reads all tables anew, since the rights may have changed meanwhile.';

export class TableResults {
  /** Tables that the snapshot is to hold, in the order of the instance. */
  chosen: readonly ChosenTable[] = [];
  private readonly entries = new Map<string, TableEntry>();
  private readonly failures = new Map<string, FailedTable>();

  done(entry: TableEntry): void {
    this.entries.set(entry.name, entry);
    this.failures.delete(entry.name);
  }

  fail(name: string, error: TablevaultError): void {
    this.failures.set(name, { name, error });
  }

  /** What was read of a table does not count: it is to be read again, or is gone. */
  forget(name: string): void {
    this.entries.delete(name);
  }

  get failed(): readonly FailedTable[] {
    return [...this.failures.values()];
  }

  /** Completes the entries of the chosen tables that were read, and returns them. */
  update(complete: (entry: TableEntry) => TableEntry): readonly TableEntry[] {
    return this.chosen.flatMap(({ table }) => {
      const entry = this.entries.get(table.name);
      if (entry === undefined) return [];
      const completed = complete(entry);
      this.entries.set(table.name, completed);
      return [completed];
    });
  }

  reports(): readonly TableReport[] {
    return this.chosen.map(({ table: { name } }) => {
      const entry = this.entries.get(name);
      if (entry !== undefined) return doneTable(entry);
      const failed = this.failures.get(name);
      return failed === undefined ? emptyTable(name) : failedTable(failed);
    });
  }

  /** What to do about the first failure; where the pipeline's consent is enough, all tables that want it are named. */
  private remedy(): string {
    const [first] = this.failed;
    const wanting = this.failed.filter(({ error }) => error instanceof UnprovableError).map(({ name }) => name);
    const hint =
      wanting.length > 0 && first !== undefined && first.error instanceof UnprovableError
        ? acceptHint(wanting)
        : first?.error.hint;
    return sentence(hint ?? 'See the error of each table');
  }

  /**
   * The error of a run in which tables failed.
   * @param published were the others published, as an incomplete snapshot?
   */
  error(published: boolean): TablevaultError {
    const names = this.failed.map(({ name }) => name);
    const [first] = this.failed;
    const shown = `${names.slice(0, NAMES_SHOWN).join(', ')}${names.length > NAMES_SHOWN ? ', …' : ''}`;
    return new TablevaultError(
      'TABLES_FAILED',
      `${shareOf(names.length, this.chosen.length, 'table')} failed: ${shown}; ${
        published ? 'the others were published as an incomplete snapshot' : 'nothing was published'
      }; the first: ${first?.error.message}`,
      {
        cause: first?.error,
        hint: `${this.remedy()} ${this.failed.some(({ error }) => isRefusal(error)) ? ANEW : ONLY_MISSING}${
          published ? '' : ' --allow-partial publishes the tables that could be read, as an incomplete snapshot.'
        }`,
      },
    );
  }
}
