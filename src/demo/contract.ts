/** What `startDemo` gives: addresses, credentials, the true rows, the witness, and every switch. */
import type { ReferenceToken, TrustedApplication } from './applications.ts';
import type { Row, SchemaChange } from './database.ts';
import type { SqlType } from './model.ts';
import type { DemoChanges, WriteOrder } from './options.ts';
import type { ReferenceOrder } from './tokens.ts';
import type { Witness } from './witness.ts';
import type { Change } from './writer.ts';

export interface ServiceCredential {
  readonly clientId: string;
  readonly clientSecret: string;
}

/** A table as it is now. */
export interface DemoTable {
  readonly name: string;
  readonly kind: 'table' | 'view';
  readonly rows: number;
  /** Names of the key columns in order; empty for views. */
  readonly key: readonly string[];
  readonly columns: readonly {
    readonly name: string;
    /** SQL Server type, e.g. `decimal(38, 2)`. */
    readonly sqlType: string;
    readonly type: SqlType;
    readonly edmType: string;
    readonly nullable: boolean;
    readonly sensitive: boolean;
  }[];
}

export interface DemoInstance {
  /** Origin, without a trailing slash. */
  readonly url: string;
  readonly controlUrl: string;
  /** A listener of another origin, for links that lead astray; the witness tells what it saw. */
  readonly foreignUrl: string;
  readonly credentials: {
    readonly service: ServiceCredential;
    /** A SAT of the same application. */
    readonly referenceToken: string;
    /** Every built-in application by its URI, most of them set up wrongly in the way the URI names. */
    readonly applications: Readonly<Record<string, ServiceCredential>>;
  };
  readonly tables: readonly DemoTable[];
  /** The true rows as they are now, in key order, as plain values (see `Value`). */
  rows(table: string | DemoTable): Iterable<Row>;
  witness(): Witness;
  configure(changes: DemoChanges): void;
  write(order: WriteOrder): readonly Change[];
  startWriter(order: WriteOrder, everyMs: number): void;
  stopWriter(): void;
  changes(): readonly Change[];
  changeSchema(change: SchemaChange): void;
  /** Revokes one token, or all; then every call of theirs gets 401. */
  revokeTokens(token?: string): void;
  issueReferenceToken(order: ReferenceOrder): ReferenceToken;
  rotateKeys(): Promise<void>;
  /** Adds or replaces a Trusted Application. */
  setApplication(application: TrustedApplication): void;
  /** Turns the instance's clock on: tokens and sessions grow older. */
  advanceClock(ms: number): void;
  close(): Promise<void>;
}
