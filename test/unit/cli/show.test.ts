import { describe, expect, it } from 'vitest';
import { detailsText } from '../../../src/cli/show.ts';
import { NO_VIEW, type View } from '../../../src/cli/view.ts';
import type { SnapshotDetails } from '../../../src/run/vault/show.ts';

const COLOURED: View = { ...NO_VIEW, coloured: true, paint: (style, text) => `<${style}>${text}</>` };

function details(warnings: readonly string[]): SnapshotDetails {
  const table = { rows: 1, bytes: 2, parts: [], strategy: 'stream', consistency: 'counted', columnsLeftOut: [] };
  const failed = [{ name: 'C', error: { code: 'BODY_INVALID', message: 'it broke' } }];
  const manifest = {
    snapshot: 's',
    sequence: 1,
    complete: false,
    pipeline: { name: 'p' },
    instance: { url: 'https://x', version: null },
    identity: { kind: 'service', describe: 'me' },
    tables: ['A', 'B'].map((name) => ({ ...table, name, warnings })),
    failed,
    totals: { tables: 2, rows: 2, parts: 0, bytes: 4 },
    requests: 1,
    bytesReceived: 1,
  };
  const read = { from: '', to: '', ms: 1, continued: false };
  const facts = { key: 'k', sha256: 'h', reusedParts: 0, missingParts: 0, pin: null };
  return { manifest, ...facts, read, keptAsText: [] } as unknown as SnapshotDetails;
}

describe('what show says of a snapshot', () => {
  it('has warnings and failures labelled in the colours that a run shows them in', () => {
    const lines = detailsText(details(['it has no key']), COLOURED);
    expect(lines.slice(-2)).toEqual([
      '<warning>warning:</> each of A, B: it has no key',
      '<error>failed:</> C: it broke [BODY_INVALID]',
    ]);
  });
});
