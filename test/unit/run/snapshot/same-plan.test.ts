import { describe, expect, it } from 'vitest';
import type { Auth, Pipeline } from '../../../../src/core/pipeline.ts';
import { Secret } from '../../../../src/core/secret.ts';
import type { Instance } from '../../../../src/instance/open.ts';
import { samePlanOf, whyNotContinued } from '../../../../src/run/snapshot/same-plan.ts';
import type { UnfinishedRun } from '../../../../src/vault/commit/resume.ts';

const SERVICE: Auth = { kind: 'service', clientId: 'a/b', clientSecret: new Secret('s') };
const TOKEN: Auth = { kind: 'reference-token', token: new Secret('t'), header: 'authorization' };

function planOf(auth: Auth, include: readonly string[]) {
  const pipeline = { instance: 'https://x', auth, tables: { include }, parquet: {} } as unknown as Pipeline;
  const instance = { discovery: { databaseName: 'd' }, tableApi: 'https://x/api' } as unknown as Instance;
  return samePlanOf({ pipeline, instance, identity: { kind: auth.kind }, chosen: [], narrowed: null });
}

/** Why a run of the first plan is not continued by the second. */
function why(then: ReturnType<typeof planOf>, now: ReturnType<typeof planOf>): string {
  const plan = { planHash: then.planHash, startedAt: new Date(0).toISOString(), plan: { parts: then.parts } };
  return whyNotContinued({ plan, closed: false } as unknown as UnfinishedRun, now, {
    withinMs: 10,
    nowMs: 5,
    newest: 0,
  });
}

describe('a run that is not continued', () => {
  it('was read by another identity, where the pipeline names another kind of credential', () => {
    expect(why(planOf(SERVICE, ['*']), planOf(TOKEN, ['*']))).toBe('it was read by another identity');
  });

  it('is of another pipeline, where the identity is the same', () => {
    expect(why(planOf(SERVICE, ['*']), planOf(SERVICE, ['A']))).toBe('the pipeline was changed');
  });
});
