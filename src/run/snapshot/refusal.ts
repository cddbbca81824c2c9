/**
 * What follows from a refusal of the identity (AUTH_*): rights were changed or are about to be, so what was read until then may have been seen
 * with others. Such a run is not continued, nor is one that began before.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { asTablevaultError, EXIT, hasCode, TablevaultError } from '../../core/errors.ts';
import type { Emit } from '../../core/events.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import { openStore } from '../../storage/open.ts';
import { closeRun } from '../../vault/commit/close.ts';
import { hasUnfinished } from '../../vault/commit/resume.ts';
import { newRunId } from '../../vault/layout.ts';
import { openVault } from '../../vault/open.ts';
import type { Vault } from '../../vault/vault.ts';

export function isRefusal(thrown: unknown): thrown is TablevaultError {
  return thrown instanceof TablevaultError && thrown.exitCode === EXIT.auth;
}

export interface RefusalWatch {
  /** Closes the run at the first refusal; anything else that was thrown is let pass. */
  seen(thrown: unknown): Promise<void>;
}

interface Deps {
  readonly clock: Clock;
  readonly emit: Emit;
}

/** Closes the run as soon as a refusal is seen: a crash after that leaves a run that nobody continues. */
export function createRefusalWatch(vault: Vault, run: string, pipeline: string, deps: Deps): RefusalWatch {
  let closing: Promise<void> | undefined;
  return {
    seen(thrown) {
      if (!isRefusal(thrown)) return Promise.resolve();
      closing ??= orWarn(deps.emit, () => closeRun(vault, run, { pipeline, reason: thrown.code }, deps));
      return closing;
    },
  };
}

/** After a refusal that came before a run of its own had begun: unfinished runs of the pipeline are not continued. */
export async function refuseEarlierRuns(pipeline: Pipeline, { clock, emit }: Deps): Promise<void> {
  await orWarn(emit, async () => {
    const store = await openStore(pipeline.destination, {});
    try {
      const vault = await openVault(store);
      const query = { pipeline: pipeline.name, withinMs: pipeline.limits.resumeWithinMs, nowMs: clock.now() };
      if (!(await hasUnfinished(vault, query))) return;
      const run = newRunId(clock.now(), () => randomBytes(4).toString('hex'));
      await closeRun(vault, run, { pipeline: pipeline.name, reason: 'refused before it began' }, { clock });
    } catch (thrown) {
      // Where there is no vault, there is nothing to continue.
      if (!hasCode(thrown, 'VAULT_NOT_FOUND', 'DESTINATION_MISSING')) throw thrown;
    } finally {
      await store.close();
    }
  });
}

/** The refusal is what the run ends by; that it could not be noted is told beside it. */
async function orWarn(emit: Emit, note: () => Promise<void>): Promise<void> {
  try {
    await note();
  } catch (thrown) {
    const message = `it could not be noted that an unfinished run must not be continued, so run with --fresh next: ${asTablevaultError(thrown).message}`;
    emit({ type: 'warning', message });
  }
}
