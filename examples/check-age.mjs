/**
 * Lists the snapshots of a vault, and fails when the newest complete one is older than the given hours. A monitor can run it.
 *
 *   node examples/check-age.mjs ./vault 26
 *   node examples/check-age.mjs s3://my-bucket/erp 26
 */
import { openVault, TablevaultError } from 'tablevault';

const [address = './vault', maxAgeHours = '26'] = process.argv.slice(2);

async function checkAge() {
  const vault = await openVault(address);
  try {
    const { snapshots } = await vault.listSnapshots();
    for (const { snapshot, finishedAt, complete, rows } of snapshots)
      process.stdout.write(`${snapshot}  ${finishedAt}  ${complete ? 'complete' : 'incomplete'}  ${rows} rows\n`);
    await vault.requireFresh(Number(maxAgeHours) * 60 * 60 * 1000);
  } finally {
    await vault.close();
  }
}

try {
  await checkAge();
} catch (error) {
  if (!(error instanceof TablevaultError)) throw error;
  // VAULT_STALE, or another error that stopped the check: a monitor must never take a missing answer for a good one.
  process.stderr.write(`${error.code}: ${error.message}. ${error.hint ?? ''}\n`);
  process.exitCode = error.exitCode;
}
