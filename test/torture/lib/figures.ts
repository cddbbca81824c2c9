/** What a part of the torture measured. Every count of `bad` must be 0; `faults` say what happened, with the seed to run again. */
export interface Figures {
  readonly name: string;
  /** How often it was done. */
  readonly done: number;
  readonly bad: Readonly<Record<string, number>>;
  readonly faults: readonly string[];
  readonly note?: string;
  readonly seconds: number;
}

export interface Budget {
  readonly seed: number;
  /** How often to do it. */
  readonly count: number;
  /** Stop early after this; milliseconds since 1970. */
  readonly untilMs: number;
}

export interface Tally {
  readonly faults: string[];
  bad(kind: string, what: string): void;
  done(): void;
  /** Is there more to do? */
  more(): boolean;
  figures(note?: string): Figures;
}

export function tally(name: string, kinds: readonly string[], budget: Budget): Tally {
  const counts = new Map(kinds.map((kind) => [kind, 0]));
  const faults: string[] = [];
  const startedMs = Date.now();
  let done = 0;
  return {
    faults,
    bad(kind, what) {
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      faults.push(`${kind}: ${what}`);
    },
    done() {
      done += 1;
    },
    more: () => done < budget.count && Date.now() < budget.untilMs,
    figures: (note) => ({
      name,
      done,
      bad: Object.fromEntries(counts),
      faults,
      seconds: Math.round((Date.now() - startedMs) / 100) / 10,
      ...(note === undefined ? {} : { note }),
    }),
  };
}

/** The table of the issue, as text. */
export function figuresTable(all: readonly Figures[]): string {
  const lines = all.map(({ name, done, bad, note, seconds }) => {
    const counts = Object.entries(bad).map(([kind, count]) => `${kind} ${count}`);
    return `${name}: ${done} in ${seconds} s; ${counts.join(', ')}${note === undefined ? '' : ` (${note})`}`;
  });
  const faults = all.flatMap((each) => each.faults.slice(0, 5).map((fault) => `  ! ${each.name}: ${fault}`));
  return `${[...lines, ...faults].join('\n')}\n`;
}
