/** What a run tells whoever watches: the CLI turns it into bars, lines and logs. Never holds a secret. */
export type RunEvent =
  | { readonly type: 'log'; readonly level: 'debug' | 'info'; readonly message: string; readonly at?: EventPlace }
  /** What is done from now on, in a person's words ("opening the vault"); told when it takes long. */
  | { readonly type: 'doing'; readonly what: string }
  | { readonly type: 'warning'; readonly message: string; readonly table?: string }
  /** A pause of the whole process, e.g. after a 429 or while no licence seat is free. */
  | { readonly type: 'wait'; readonly reason: string; readonly ms: number }
  /** From now on requests are spaced out: the instance has shown that it accepts no more. */
  | { readonly type: 'spaced'; readonly perMinute: number }
  | RequestEvent
  /** One request failed in a way that may pass, and is sent again. */
  | {
      readonly type: 'retry';
      readonly request: number;
      readonly reason: string;
      /** Tries that failed. */
      readonly tries: number;
      /** From the first failure on, until the request is given up. */
      readonly givenUpAfterMs: number;
    }
  | { readonly type: 'inFlight'; readonly requests: number; readonly limit: number }
  /** An unfinished run is continued: what it has read already. */
  | ({ readonly type: 'continued' } & Continued)
  /** A run begins anew although an unfinished one is there: why that is not continued, as the end of "because …". */
  | { readonly type: 'notContinued'; readonly run: string; readonly why: string }
  | { readonly type: 'planned'; readonly tables: number; readonly rowsExpected: number | null }
  | {
      readonly type: 'tableStarted';
      readonly table: string;
      /** Rows that the run that is continued had read of it. */
      readonly rows: number;
      readonly rowsExpected: number | null;
    }
  /** Rows and decompressed bytes since the last event of this table. */
  | { readonly type: 'progress'; readonly table: string; readonly rows: number; readonly bytes: number }
  | {
      readonly type: 'tableDone';
      readonly table: string;
      readonly rows: number;
      readonly bytes: number;
      readonly ms: number;
    }
  | { readonly type: 'tableFailed'; readonly table: string; readonly message: string };

/** A request on its way to the first byte of its answer. One that is sent again keeps its number. */
export type RequestEvent = { readonly type: 'request'; readonly request: number } & (
  | {
      readonly phase: 'sent';
      /** What it asks for, in a person's words. */
      readonly what: string;
      /** The first byte is waited for this long. */
      readonly firstByteTimeoutMs: number;
    }
  /** This try brought no data. */
  | { readonly phase: 'failed' }
  /** Its data begins to come, or nobody waits for it any longer. */
  | { readonly phase: 'over' }
);

/** What an unfinished run had read when it was continued. */
export interface Continued {
  readonly run: string;
  /** Tables of which at least one task is finished. */
  readonly tables: number;
  /** Names of tables of which all tasks are finished. */
  readonly tablesDone: readonly string[];
  readonly rows: number;
  readonly tasks: number;
}

export type EventPlace = Readonly<Record<string, string | number>>;

export type Emit = (event: RunEvent) => void;
