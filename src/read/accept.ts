/** Tables that a run refuses for want of a proof, and what a pipeline says to take them as they come. */
import { TablevaultError } from '../core/errors.ts';
import { yamlKey } from '../core/yaml-key.ts';

/** A table that came, but has no proof: the pipeline's consent would be enough. */
export class UnprovableError extends TablevaultError {
  /** @param why what is missing */
  constructor(table: string, why: string) {
    super('END_UNPROVEN', `${table} can be neither proven nor counted: ${why}`, {
      at: { table },
      hint: acceptHint([table]),
    });
  }
}

/** A line for the block `tables:` that every pipeline has, or may have. */
export function acceptHint(tables: readonly string[]): string {
  const entries = tables.map((table) => `${yamlKey(table)}: { accept: best-effort }`);
  const which = tables.length === 1 ? 'it' : `these ${tables.length} tables`;
  return `Where you take ${which} without a proof, put this line into the block tables: of the pipeline (or its entries into the overrides: there): overrides: { ${entries.join(', ')} }.`;
}
