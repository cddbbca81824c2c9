/** Which failure concerns one table, which one the whole run, and which one an interrupt hides. */
import { EXIT, hasCode, TablevaultError } from '../../core/errors.ts';
import { assertSameVault, type Vault } from '../../vault/vault.ts';

/** Does an error of one table mean that no other can succeed either? A table that may not be read is that table's failure. */
export function concernsAll(error: TablevaultError): boolean {
  if (error.code === 'AUTH_FORBIDDEN') return false;
  const whole: readonly number[] = [
    EXIT.bug,
    EXIT.auth,
    EXIT.instance,
    EXIT.destination,
    EXIT.commitUnknown,
    EXIT.locked,
    EXIT.interrupted,
  ];
  return whole.includes(error.exitCode);
}

/** An interrupt makes much fail on the way out; what would mislead if it were hidden behind it stands. */
export function outweighsInterrupt(thrown: unknown): boolean {
  const outweighing: readonly number[] = [EXIT.auth, EXIT.instance, EXIT.destination, EXIT.commitUnknown];
  return thrown instanceof TablevaultError && outweighing.includes(thrown.exitCode);
}

export function interrupted(reason: unknown): TablevaultError {
  if (reason instanceof TablevaultError) return reason;
  return new TablevaultError('INTERRUPTED', 'the run was interrupted', { cause: reason });
}

/** What ended a run; or that its vault is gone, of which a lock that seems taken and an object that seems missing are only signs. */
export async function orVaultGone(thrown: unknown, vault: Vault): Promise<unknown> {
  const signs: readonly number[] = [EXIT.destination, EXIT.locked];
  if (!(thrown instanceof TablevaultError) || !signs.includes(thrown.exitCode)) return thrown;
  try {
    await assertSameVault(vault);
    return thrown;
  } catch (gone) {
    // The look itself may fail: that says nothing.
    return hasCode(gone, 'VAULT_NOT_FOUND') ? gone : thrown;
  }
}

export interface LeftBehind {
  /** Is there something that the next run finds read? */
  readonly read: boolean;
  /** Was the run to begin anew, whatever it found? */
  readonly fresh: boolean;
}

/** What ended a run from outside, with what to do next: only a run that has read something is continued. */
export function withNextStep(error: unknown, { read, fresh }: LeftBehind): unknown {
  if (!(error instanceof TablevaultError)) return error;
  const { code, message, at, cause } = error;
  const again = (same: string, other: string) =>
    read ? `${fresh ? other : same}: it continues where it stopped.` : `${same}.`;
  switch (code) {
    case 'INTERRUPTED': {
      const hint = again('Run the same command again', 'Run the command again without --fresh');
      return new TablevaultError(code, message, { at, cause, hint });
    }
    case 'DEADLINE': {
      const hint = read ? `Raise limits.deadline, or ${again('run again', 'run again without --fresh')}` : error.hint;
      return new TablevaultError(code, message, { at, cause, ...(hint === undefined ? {} : { hint }) });
    }
    default:
      return error;
  }
}
