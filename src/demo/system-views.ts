/** System views that tell of the instance itself: rows per table, sessions, licences. Computed anew at each read. */
import type { TableModel, Value } from './model.ts';
import type { TableData } from './table.ts';
import type { ValueMaker } from './values.ts';

/** What the views tell of. */
export interface SystemFacts {
  /** Does `Dmv_Table_Info` still tell the counts of the start? */
  readonly staleCounts: () => boolean;
  readonly sessions: () => readonly SessionFact[];
  /** Licence seats. */
  readonly seats: () => number;
}

export interface SessionFact {
  readonly user: string;
  readonly application: string;
  readonly startedAt: number;
  readonly lastUsedAt: number;
  readonly endsAt: number;
  readonly running: number;
  readonly requests: number;
}

export const NO_FACTS: SystemFacts = { staleCounts: () => false, sessions: () => [], seats: () => 0 };

export interface SystemView {
  /** Rows it has now. */
  readonly size: () => number;
  readonly makers: readonly ValueMaker[];
}

/** The view of that name, or undefined when it is an ordinary table. */
export function systemView(
  model: TableModel,
  models: readonly TableModel[],
  tables: ReadonlyMap<string, TableData>,
  facts: SystemFacts,
): SystemView | undefined {
  const view = (size: () => number, read: Readonly<Record<string, (row: number) => Value>>): SystemView => ({
    size,
    makers: model.columns.map(
      (column) => read[column.name] ?? (() => (column.nullable ? null : zeroOf(column.type.kind))),
    ),
  });
  switch (model.name) {
    case 'Dmv_Table_Info': {
      const listed = models.filter((other) => other.kind === 'table');
      const count = (i: number) => {
        const table = tables.get(listed[i]!.name)!;
        return facts.staleCounts() ? table.size : table.count;
      };
      return view(() => listed.length, {
        Table_Name: (i) => listed[i]!.name,
        Row_Count: (i) => BigInt(count(i)),
        Size_MB: (i) => ((count(i) * listed[i]!.columns.length * 20) / 1024 / 1024).toFixed(3),
      });
    }
    case 'Dmv_Current_Sessions': {
      const at = (i: number) => facts.sessions()[i]!;
      return view(() => facts.sessions().length, {
        Absolute_Expiration_Time: (i) => instant(at(i).endsAt),
        Applications: (i) => at(i).application,
        Current_Requests_Count: (i) => at(i).running,
        Last_Request_Time: (i) => instant(at(i).lastUsedAt),
        Session_Id: (i) => String(at(i).startedAt + i),
        Start_Time: (i) => instant(at(i).startedAt),
        Total_Requests_Count: (i) => BigInt(at(i).requests),
        User_Login: (i) => at(i).user,
      });
    }
    case 'Dmv_Licenses':
      return view(() => 1, {
        License_Code: () => 'USERS',
        License_Count: () => facts.seats(),
        License_Description: () => 'Seats',
        License_Scale_Type: () => 'Sessions',
      });
    default:
      return undefined;
  }
}

function instant(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 23)}000Z`;
}

function zeroOf(kind: string): Value {
  return kind === 'decimal' ? '0.000' : kind === 'bigint' ? 0n : kind === 'text' ? '' : 0;
}
