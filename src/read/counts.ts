/** What a run knows of the instance's counts. */
import type { AnswerFacts } from '../scan/held.ts';

/** Tables that may refuse to be counted before no further one is asked. */
const MAX_REFUSALS = 2;

/** Whether `$count` is offered, learned from table to table. A refusal by one table says little of the others. */
export class CountKnowledge {
  private refusals = 0;
  private given = false;
  private beyondAnswer: boolean;

  /** @param probed did a probe see that the instance counts more than the rows of its answer? */
  constructor(probed: boolean | null) {
    this.beyondAnswer = probed === true;
    this.given = this.beyondAnswer;
  }

  /** Is it worth asking? */
  get mayAsk(): boolean {
    return this.given || this.refusals < MAX_REFUSALS;
  }

  /** Was it seen that it counts the rows of a table, and not merely those of an answer? */
  get countsTables(): boolean {
    return this.beyondAnswer;
  }

  answered({ count, rows, excluded }: Pick<AnswerFacts, 'count' | 'rows' | 'excluded'>): void {
    if (count === null) return;
    this.given = true;
    // It counted what it did not send.
    if (count > rows + excluded) this.beyondAnswer = true;
  }

  refused(): void {
    this.refusals++;
  }
}
