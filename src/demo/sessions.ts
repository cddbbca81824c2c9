/** Sessions and licence seats: the first call of a token opens a session, which holds one seat until it ends. */
import type { Clock } from '../core/clock.ts';
import type { DemoLimits } from './options.ts';
import { Refusal } from './refusal.ts';
import { retryAfter } from './retry-after.ts';
import type { SessionFact } from './system-views.ts';
import type { Identity } from './tokens.ts';

export interface Session {
  /** When it is closed by force, in milliseconds since 1970. */
  readonly endsAt: number;
  /** Ends one request of it. */
  leave(): void;
}

export interface Sessions {
  /**
   * Counts a request of an identity into its session, and opens one if there is none.
   * Throws a refusal when no seat is free or the session's own limits are exceeded.
   */
  enter(identity: Identity): Session;
  /** The open sessions, oldest first. */
  list(): readonly SessionFact[];
  stats(): { readonly open: number; readonly opened: number; readonly maxOpen: number; readonly refused: number };
}

interface OpenSession {
  readonly identity: Identity;
  readonly startedAt: number;
  lastUsedAt: number;
  /** Requests under way. */
  requests: number;
  total: number;
  /** Times of the requests of the last minute. */
  minute: number[];
}

export function createSessions(clock: Clock, limits: () => DemoLimits): Sessions {
  const open = new Map<string, OpenSession>();
  let opened = 0;
  let maxOpen = 0;
  let refused = 0;

  const sweep = (now: number) => {
    const { sessionIdleMs, sessionLifeMs } = limits();
    for (const [id, session] of open) {
      const idle = session.requests === 0 && now - session.lastUsedAt >= sessionIdleMs;
      if (idle || now - session.startedAt >= sessionLifeMs) open.delete(id);
    }
  };

  return {
    enter(identity) {
      const now = clock.now();
      const set = limits();
      sweep(now);
      const id = set.renewedTokenTakesSeat
        ? identity.tokenId
        : `${identity.kind} ${identity.application.uri} ${identity.user}`;
      let session = open.get(id);
      if (session === undefined) {
        if (open.size + set.seatsTaken >= set.seats) {
          refused++;
          throw new Refusal('MaximumLicenseCountExceeded: all licences are in use.', {
            status: set.seatErrorStatus,
            type: 'MaximumLicenseCountExceeded',
          });
        }
        session = { identity, startedAt: now, lastUsedAt: now, requests: 0, total: 0, minute: [] };
        open.set(id, session);
        opened++;
        maxOpen = Math.max(maxOpen, open.size);
      }
      const at = session;
      at.minute = at.minute.filter((time) => now - time < 60_000);
      if (set.sessionRpm !== null && at.minute.length >= set.sessionRpm) throw tooMany('SessionRpm', set, now);
      if (set.sessionConcurrent !== null && at.requests >= set.sessionConcurrent)
        throw tooMany('SessionConcurrentRequests', set, now);
      at.minute.push(now);
      at.requests++;
      at.total++;
      at.lastUsedAt = now;
      return {
        endsAt: at.startedAt + set.sessionLifeMs,
        leave() {
          at.requests--;
          at.lastUsedAt = clock.now();
        },
      };
    },
    list() {
      sweep(clock.now());
      return [...open.values()].map((session) => ({
        user: session.identity.user,
        application: session.identity.application.uri,
        startedAt: session.startedAt,
        lastUsedAt: session.lastUsedAt,
        endsAt: session.startedAt + limits().sessionLifeMs,
        running: session.requests,
        requests: session.total,
      }));
    },
    stats() {
      sweep(clock.now());
      return { open: open.size, opened, maxOpen, refused };
    },
  };
}

/** The answer to a request beyond a limit. */
/** @param now milliseconds since 1970. */
export function tooMany(limit: string, limits: DemoLimits, now: number): Refusal {
  const seconds = limits.retryAfterSeconds;
  return new Refusal(`The limit ${limit} is exceeded.`, {
    status: 429,
    type: 'TooManyRequests',
    ...(seconds === null ? {} : { headers: { 'retry-after': retryAfter(seconds, limits, now) } }),
  });
}
