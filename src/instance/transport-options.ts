/** Options of the transport, with their defaults. */
import type { Environment } from '../core/address.ts';
import type { Clock } from '../core/clock.ts';
import type { Emit } from '../core/events.ts';
import type { Limits } from '../core/pipeline.ts';
import type { Credential } from './credential.ts';
import type { GovernorLimits } from './governor-state.ts';
import type { Patience } from './retry.ts';

export interface TransportOptions {
  /** Origins that may be asked at all; every one may be sent the credential. */
  readonly origins: ReadonlySet<string>;
  /** Without one, only requests with `credentials: false` are possible. */
  readonly credential?: Credential | undefined;
  readonly limits: Pick<Limits, 'concurrency' | 'deadlineMs'>;
  readonly tuning?: Partial<TransportTuning> | undefined;
}

/** Times in ms. */
export interface TransportTuning {
  readonly connectTimeoutMs: number;
  /** From the request to the head of its answer: a query may run long before its first row. */
  readonly firstByteTimeoutMs: number;
  /** Without a byte inside a body. */
  readonly idleTimeoutMs: number;
  readonly retry: Patience;
  readonly governor: Partial<GovernorLimits>;
  /** Decompressed bytes per byte on the wire at most. JSON of rows that are much alike reaches about 200. */
  readonly maxRatio: number;
  /** `Accept` of requests that name none. */
  readonly accept: string;
  /** Multi-language texts come in a language that the server chooses by this; one fixed value makes runs comparable. */
  readonly acceptLanguage: string;
  /** HTTPS_PROXY and NO_PROXY come from here. */
  readonly env: Environment;
}

export const TRANSPORT_DEFAULTS: TransportTuning = {
  connectTimeoutMs: 15_000,
  firstByteTimeoutMs: 300_000,
  idleTimeoutMs: 120_000,
  retry: {
    firstPauseMs: 500,
    lastPauseMs: 30_000,
    faultBudgetMs: 300_000,
    firstContactTries: 3,
    busyBudgetMs: 1_800_000,
    seatsBudgetMs: 1_800_000,
    seatsPauseMs: 15_000,
  },
  governor: {},
  maxRatio: 500,
  accept: 'application/json;odata.metadata=minimal;IEEE754Compatible=false',
  acceptLanguage: 'en',
  env: process.env,
};

export interface TransportDeps {
  readonly clock: Clock;
  readonly emit: Emit;
  /** Ends everything: waits, requests, bodies. */
  readonly signal: AbortSignal;
  /** 0 to 1; for jitter. */
  readonly random: () => number;
}
