/** What is opened step by step and closed together, the last first, whatever happens on the way. */
export interface Closers {
  /** To be done at the end. */
  add(close: () => void | Promise<void>): void;
  /** Closes everything that was added; a second call does nothing. All of them are tried; the first failure is thrown at the end. */
  close(): Promise<void>;
}

export function createClosers(): Closers {
  const open: (() => void | Promise<void>)[] = [];
  return {
    add: (close) => {
      open.push(close);
    },
    close: async () => {
      const failures: unknown[] = [];
      for (const close of open.splice(0).reverse()) {
        try {
          await close();
        } catch (thrown) {
          failures.push(thrown);
        }
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}
