/**
 * Takes a snapshot of a pipeline, with one line of progress on standard error, and prints the snapshot's id.
 *
 *   node examples/take-snapshot.mjs backup.yaml
 *
 * Ctrl-C ends the run. Finished parts are kept, and the next run continues from there. The process exits with the same code as
 * `tablevault snapshot`.
 */
import { readPipeline, runSnapshot } from 'tablevault';

const [file = 'backup.yaml'] = process.argv.slice(2);
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

const pipeline = await readPipeline(file);

let tables = 0;
let tablesDone = 0;
let rows = 0;
const { report, error, exitCode } = await runSnapshot(
  pipeline,
  {},
  {
    signal: stop.signal,
    emit(event) {
      if (event.type === 'planned') tables = event.tables;
      if (event.type === 'tableDone') tablesDone++;
      if (event.type === 'progress') rows += event.rows;
      if (event.type === 'warning') process.stderr.write(`\nwarning: ${event.table ?? file}: ${event.message}\n`);
      process.stderr.write(`\r${tablesDone} of ${tables} tables, ${rows} rows`);
    },
  },
);
process.stderr.write('\n');

if (error !== null) process.stderr.write(`${error.code}: ${error.message}\n`);
if (report.snapshot !== null) process.stdout.write(`${report.snapshot}\n`);
process.exitCode = exitCode;
