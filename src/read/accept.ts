/** Tables that a run refuses for want of a proof, and what a pipeline says to take them as they come. */
import { TablevaultError } from '../core/errors.ts';
import { yamlKey } from '../core/yaml-key.ts';

const NEITHER = 'can be neither proven nor counted';

/** @param why what is missing */
export function unprovableError(table: string, why: string): TablevaultError {
  return new TablevaultError('END_UNPROVEN', `${table} ${NEITHER}: ${why}`, {
    at: { table },
    hint: acceptHint([table]),
  });
}

/** Would the pipeline's consent be enough? */
export function needsConsent({ code, message }: TablevaultError): boolean {
  return code === 'END_UNPROVEN' && message.includes(NEITHER);
}

/** A line for the block `tables:` that every pipeline has, or may have. */
export function acceptHint(tables: readonly string[]): string {
  const entries = tables.map((table) => `${yamlKey(table)}: { accept: best-effort }`);
  const which = tables.length === 1 ? 'it' : `these ${tables.length} tables`;
  return `Where you take ${which} without a proof, put this line into the block tables: of the pipeline (or its entries into the overrides: there): overrides: { ${entries.join(', ')} }.`;
}
