/** Every step from the configuration to a first row and a first object. */
import type { ExitCode } from '../../core/errors.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import { plural, shareOf } from '../../core/words.ts';
import type { Instance } from '../../instance/open.ts';
import { readSensitiveColumns } from '../../instance/sensitive.ts';
import { type ChosenTable, chooseTables } from '../../read/plan.ts';
import { tryDestination } from './destination.ts';
import { askForToken, compareClocks, type DoctorDeps, findSites, judgeScope, openTableApi } from './instance.ts';
import { lookUpNames, tryConnections } from './network.ts';
import { askProbes, type ProbeAnswers } from './probes.ts';
import { foreseeProofs } from './proof.ts';
import { lookAtRows, tryLimits, tryRights } from './rights.ts';
import { judgeFirstRows, type Looked } from './row.ts';
import { createExamination, DOING, type Examination, type StepFinding, type StepReport } from './steps.ts';

export interface DoctorReport {
  readonly ok: boolean;
  /** Of the first step that failed. */
  readonly exitCode: ExitCode;
  readonly steps: readonly StepReport[];
  /** What the instance answered to the probes; null when they were not tried. */
  readonly probes: ProbeAnswers | null;
}

/**
 * Looks at everything a snapshot needs. A step that fails does not end it: what does not depend on that step is tried all the same.
 *
 * @param load reads the pipeline; what it throws is the first step's finding
 * @param onStep told of each step as it ends
 */
export async function runDoctor(
  load: () => Promise<Pipeline>,
  deps: DoctorDeps,
  onStep: (step: StepReport) => void,
): Promise<DoctorReport> {
  const { clock, signal, emit } = deps;
  const examination = createExamination(clock, signal, onStep, (step) => emit({ type: 'doing', what: DOING[step] }));
  const pipeline = await examination.step('configuration', [], async () => describe(await load()));
  const given = pipeline as Pipeline;
  await examination.step('name', ['configuration'], () => lookUpNames(given));
  await examination.step('connection', ['name'], () => tryConnections(given, clock, signal));
  const sites = await examination.step('discovery', ['connection'], () => findSites(given, deps));
  const grant = await examination.step('identity', ['discovery'], () => askForToken(given, sites!, deps));
  await examination.step('scope', ['identity'], async () => judgeScope(grant ?? null));
  const instance = await examination.step('table-api', ['identity'], () => openTableApi(given, deps));
  let probes: ProbeAnswers | null;
  try {
    probes = await lookInside(examination, given, instance, deps);
  } finally {
    await instance?.close();
  }
  await examination.step('destination', ['configuration'], () => tryDestination(given, clock, signal));
  const exitCode = examination.exitCode();
  return { ok: exitCode === 0, exitCode, steps: examination.steps, probes };
}

/** The steps that need an open instance. */
async function lookInside(
  examination: Examination,
  pipeline: Pipeline,
  opened: Instance | undefined,
  deps: DoctorDeps,
): Promise<ProbeAnswers | null> {
  const { signal } = deps;
  const instance = opened as Instance;
  const answered = await examination.step('clock', ['table-api'], () => compareClocks(instance, deps));
  const chosen = await examination.step('tables', ['table-api'], async () => choose(pipeline, instance, deps));
  const headers = answered?.headers ?? {};
  const probed = await examination.step('probes', ['tables'], () => askProbes(instance, chosen!, headers, signal));
  const rights = () => {
    const { concurrency } = pipeline.limits;
    return { instance, chosen: chosen!, probe: probed!.probe, concurrency, signal };
  };
  let rows: Promise<readonly Looked[]> | undefined;
  const lookedAt = () => (rows ??= lookAtRows(rights()));
  await examination.step('limits', ['probes'], () => tryLimits(rights()));
  await examination.step('rights', ['probes'], async () => tryRights(rights(), await lookedAt()));
  await examination.step('proof', ['probes'], () => foreseeProofs(rights(), probed!));
  await examination.step('first-row', ['probes'], async () => judgeFirstRows(await lookedAt()));
  return probed?.answers ?? null;
}

function describe(pipeline: Pipeline): StepFinding<Pipeline> {
  const { auth, instance, destination } = pipeline;
  const who = auth.kind === 'service' ? `service identity ${auth.clientId}` : 'a reference token';
  return { found: `${instance} with ${who}, into ${destination}`, value: pipeline };
}

function choose(pipeline: Pipeline, instance: Instance, { emit }: DoctorDeps): StepFinding<readonly ChosenTable[]> {
  const chosen = chooseTables(instance.model, pipeline, undefined, readSensitiveColumns(), emit);
  const columns = chosen.reduce((sum, table) => sum + table.columns.length, 0);
  const sensitive = chosen.flatMap(({ table, leftOut }) =>
    leftOut.filter(({ reason }) => reason === 'sensitive').map(({ name }) => `${table.name}.${name}`),
  );
  return {
    found: `${shareOf(chosen.length, instance.model.tables.length, 'table')}, ${plural(columns, 'column')}`,
    details: [
      ...(sensitive.length === 0 ? [] : [`left out as sensitive: ${sensitive.join(', ')}`]),
      ...chosen.flatMap(({ table: { name, notRead = [] } }) => notRead.map((what) => `${name}: ${what}`)),
    ],
    value: chosen,
  };
}
