/**
 * Takes a snapshot of a pipeline, with one line of progress on standard error, and prints the snapshot's id.
 *
 *   node examples/take-snapshot.mjs backup.yaml
 *
 * Ctrl-C ends the run. Finished parts are kept, and the next run continues from there. The process exits with the same code as
 * `tablevault snapshot`.
 */
import { readPipeline, runSnapshot, TablevaultError } from 'tablevault';

const [file = 'backup.yaml'] = process.argv.slice(2);
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

/** @param {TablevaultError} error */
function fail({ code, message, hint, exitCode }) {
  process.stderr.write(`${code}: ${message}. ${hint ?? ''}\n`);
  process.exitCode = exitCode;
}

async function takeSnapshot() {
  let tables = 0;
  let tablesDone = 0;
  let rows = 0;
  const { report, error } = await runSnapshot(
    await readPipeline(file),
    {},
    {
      signal: stop.signal,
      emit(event) {
        if (event.type === 'planned') tables = event.tables;
        if (event.type === 'tableDone') tablesDone++;
        // A run that is continued has read these before.
        if (event.type === 'continued') rows = event.rows;
        if (event.type === 'progress') rows += event.rows;
        if (event.type === 'warning') process.stderr.write(`\nwarning: ${event.table ?? file}: ${event.message}\n`);
        if (process.stderr.isTTY) process.stderr.write(`\r${tablesDone} of ${tables} tables, ${rows} rows`);
      },
    },
  );
  process.stderr.write(`${process.stderr.isTTY ? '\r' : ''}${tablesDone} of ${tables} tables, ${rows} rows\n`);
  if (report.snapshot !== null) process.stdout.write(`${report.snapshot}\n`);
  if (error !== null) fail(error);
}

try {
  await takeSnapshot();
} catch (error) {
  // readPipeline throws when the pipeline file is wrong; any other exception is a bug.
  if (!(error instanceof TablevaultError)) throw error;
  fail(error);
}
