/** The destination: reached, tried out with a probe object of our own, and what is there. Nothing of a vault is touched. */
import { existsSync } from 'node:fs';
import { rmdir, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { duration } from '../../core/duration.ts';
import { hasCode } from '../../core/errors.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import { plural } from '../../core/words.ts';
import { openStore } from '../../storage/open.ts';
import type { Store } from '../../storage/store.ts';
import { tryCreateOnly } from '../../storage/try-create-only.ts';
import { isWhole, readCatalog } from '../../vault/chain/catalog.ts';
import { openVault } from '../../vault/open.ts';
import type { StepFinding } from './steps.ts';

/** A store's clock that is further off is refused by S3 from 15 minutes on, and spoils ages before, ms. */
const SKEW_MS = 60_000;
/** Less free space is worth a word, bytes. */
const LITTLE_SPACE = 2_000_000_000;

export async function tryDestination(
  { destination, name: pipeline }: Pick<Pipeline, 'destination' | 'name'>,
  clock: Clock,
  signal: AbortSignal,
): Promise<StepFinding> {
  const store = await openStore(destination, { signal });
  const missing = store.localPath === undefined ? [] : missingFolders(store.uri);
  try {
    const begun = clock.now();
    await tryCreateOnly(store, { signal });
    const took = clock.now() - begun;
    const details = [`a probe object was created and removed; a second writer was refused, as it must be (${took} ms)`];
    const fixes: string[] = [];
    details.push(await whatIsThere(store, pipeline, clock, signal));
    const off = (await store.serverNowMs({ signal })) - clock.now();
    if (Math.abs(off) > SKEW_MS) {
      details.push(`its clock differs by ${Math.round(Math.abs(off) / 1000)} s`);
      fixes.push('Correct the clock of this machine (NTP): S3 refuses requests that are 15 minutes off.');
    }
    if (store.localPath !== undefined) {
      const free = await freeBytes(destination);
      if (free !== null) details.push(`${(free / 1e9).toFixed(1)} GB free`);
      if (free !== null && free < LITTLE_SPACE)
        fixes.push('Little space is left for snapshots: free some space, or choose another disk.');
    }
    const finding = { found: `${store.uri} accepts objects`, details, value: undefined };
    return fixes.length === 0 ? finding : { ...finding, fix: fixes.join(' ') };
  } finally {
    // In order, and only where nothing is in them.
    for (const folder of missing) await rmdir(folder).catch(() => undefined);
    await store.close();
  }
}

/** Folders that a probe object makes in a folder vault and that are not there yet, each after those in it. */
function missingFolders(root: string): readonly string[] {
  const folders = [join(root, 'probe'), join(root, '.tmp')];
  for (let folder = root; folder !== dirname(folder); folder = dirname(folder)) folders.push(folder);
  return folders.filter((folder) => !existsSync(folder));
}

async function whatIsThere(store: Store, pipeline: string, clock: Clock, signal: AbortSignal): Promise<string> {
  try {
    const vault = await openVault(store, { signal });
    const { snapshots, lacking } = await readCatalog(vault, { signal });
    const held = `a vault with ${plural(snapshots.length, 'snapshot')}`;
    const own = snapshots.filter(({ summary }) => summary.pipeline === pipeline);
    const newest = own.findLast(({ sequence, summary }) =>
      isWhole({ ...summary, missingParts: lacking.get(sequence) ?? 0 }),
    );
    if (newest === undefined) return `${held}, no complete one of the pipeline ${pipeline}`;
    const age = duration(clock.now() - Date.parse(newest.summary.finishedAt));
    return `${held}, the newest complete one of the pipeline ${pipeline} ${age} old`;
  } catch (thrown) {
    if (hasCode(thrown, 'VAULT_NOT_FOUND')) return 'no vault yet; the first snapshot creates it';
    throw thrown;
  }
}

async function freeBytes(folder: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch {
    // Only a hint: some file systems do not tell.
    return null;
  }
}
