/** The soak of *exact means proven*: each awkward server with each kind of table, and pairs of them with each other and with older ones. */
import { fileURLToPath } from 'node:url';
import { type Allowed, AWKWARD_GROUPS, type AwkwardServer, TABLE_SETS, type TableSet } from './awkward-servers.ts';
import { named, USABLE_PERSONALITIES } from './cases.ts';
import { draws } from './draw.ts';
import type { SoakCase } from './run-case.ts';

const MODEL = fileURLToPath(new URL('../support/key-tables.jsonl', import.meta.url));

/** Longest that the reader may take for one case, in seconds of the wall's clock. */
const WITHIN_SECONDS = 45;

function caseOf(
  name: string,
  sets: readonly TableSet[],
  demo: SoakCase['demo'],
  allowed: Allowed,
  withinSeconds = WITHIN_SECONDS,
): SoakCase {
  const own: Record<string, number> = Object.assign({}, ...sets.map((set) => TABLE_SETS[set]));
  const tableRows = Object.fromEntries(
    Object.entries(own).map(([table, rows]) => [table, demo.tableRows?.[table] ?? rows]),
  );
  return {
    name,
    group: 'evidence',
    demo: { ...demo, modelFile: MODEL, tables: [...Object.keys(tableRows), 'Dmv_Table_Info'], tableRows },
    withinSeconds,
    exits: [4, 5],
    ...(allowed === 'exact' ? {} : allowed),
  };
}

/** Each awkward server with each set of tables; those of which every row must come are tried together. */
export function evidenceCases(): readonly SoakCase[] {
  return AWKWARD_GROUPS.flat().flatMap((server) => {
    const all = Object.entries(server.allowed) as [TableSet, Allowed][];
    const whole = all.filter(([, allowed]) => allowed === 'exact').map(([set]) => set);
    const others = all.filter(([, allowed]) => allowed !== 'exact');
    const tried: readonly (readonly [readonly TableSet[], Allowed])[] = [
      ...(whole.length > 0 ? [[whole, 'exact'] as const] : []),
      ...others.map(([set, allowed]) => [[set], allowed] as const),
    ];
    return tried.map(([sets, allowed]) => ({
      ...caseOf(`${server.name} | ${sets.join(', ')}`, sets, server.demo, allowed, server.withinSeconds),
      ...(server.maxRefused === undefined ? {} : { maxRefused: server.maxRefused }),
    }));
  });
}

/** Pairs drawn by the seed: an awkward server, and another one or an older personality beside it. */
export function evidencePairs(seed: number, count: number): readonly SoakCase[] {
  const draw = draws(seed);
  // By groups, so that the largest of them is not in every other pair.
  const groups = AWKWARD_GROUPS.map((group) => group.filter((server) => server.alone !== true));
  const usableGroups = groups.filter((group) => group.length > 0);
  const sets: readonly TableSet[] = ['guid', 'single', 'composite'];
  return Array.from({ length: count }, (_, index) => index).flatMap((index) => {
    const first = draw(draw(usableGroups));
    const second: AwkwardServer = draw([true, false])
      ? draw(draw(usableGroups))
      : oldServer({ ...draw(USABLE_PERSONALITIES), ...draw(USABLE_PERSONALITIES) });
    const usable = sets.filter((set) => first.allowed[set] !== undefined && second.allowed[set] !== undefined);
    const set = draw(usable.length > 0 ? usable : ['guid']);
    const demo = {
      seed: 1 + index,
      personality: { ...second.demo.personality, ...first.demo.personality },
      limits: { ...second.demo.limits, ...first.demo.limits },
      faults: [...(first.demo.faults ?? []), ...(second.demo.faults ?? [])],
    };
    const { grows, cut, serverPage, lastLink } = demo.personality;
    // A table that grows by more rows than an answer may hold outruns every reader.
    if (grows !== undefined && (cut ?? serverPage ?? lastLink) !== undefined) return [];
    const hides = demo.personality.defaultFilters !== undefined && demo.personality.defaultFilters !== false;
    const allowed: Allowed = hides
      ? { mayBeWrong: 'rows that a default filter hides may be beyond every question' }
      : { mayFail: 'two troubles at once' };
    const name = `pair ${seed}/${index}: ${first.name} + ${second.name} | ${set}`;
    const maxRefused = first.maxRefused ?? second.maxRefused;
    return [
      {
        ...caseOf(name, [set as TableSet], demo, allowed, first.withinSeconds ?? second.withinSeconds),
        group: 'evidence pair' as const,
        // Where nothing filters or counts, pages that grow faster than they are read have no end but this.
        ...(grows === undefined ? {} : { limits: { deadlineMs: 1_200_000 } }),
        ...(maxRefused === undefined ? {} : { maxRefused }),
      },
    ];
  });
}

function oldServer(personality: (typeof USABLE_PERSONALITIES)[number]): AwkwardServer {
  return {
    name: named(personality),
    demo: { personality },
    allowed: { guid: 'exact', single: 'exact', composite: 'exact' },
  };
}
