/**
 * Prints what another tool needs to read a table of the newest snapshot: its columns with their Parquet types on standard error, its
 * Parquet files on standard output, one file per line.
 *
 *   node examples/table-files.mjs ./vault Gen_Documents | xargs parquet-tools row-count
 */
import { openVault, TablevaultError } from 'tablevault';

const [address = './vault', table = 'Gen_Documents'] = process.argv.slice(2);

async function printFiles() {
  const vault = await openVault(address);
  try {
    const { snapshot, paths } = await vault.listPaths(table);
    // Ask for the same snapshot by its id, because a newer one may exist by now.
    const { tables } = await vault.readManifest(snapshot);
    const columns = tables.find(({ name }) => name === table)?.schema.columns ?? [];
    for (const { name, parquetType } of columns) process.stderr.write(`${name}: ${parquetType}\n`);
    for (const path of paths) process.stdout.write(`${path}\n`);
  } finally {
    await vault.close();
  }
}

try {
  await printFiles();
} catch (error) {
  // Any other exception is a bug.
  if (!(error instanceof TablevaultError)) throw error;
  process.stderr.write(`${error.code}: ${error.message}. ${error.hint ?? ''}\n`);
  process.exitCode = error.exitCode;
}
