/**
 * Takes a snapshot, and decides by the code of the error what to do about a failure. docs/errors.md lists the codes.
 *
 *   node examples/handle-errors.mjs backup.yaml
 *
 * Prints one line: `done`, `again later`, `ask for help`, or `look into it`, with the reason.
 */
import { readPipeline, runSnapshot, TablevaultError } from 'tablevault';

const [file = 'backup.yaml'] = process.argv.slice(2);

/** @param {TablevaultError} error */
function decide({ code, message, hint }) {
  switch (code) {
    case 'INSTANCE_BUSY':
    case 'INSTANCE_SEATS':
    case 'INSTANCE_UNREACHABLE':
    case 'LOCKED':
      return `again later: ${message}`;
    case 'AUTH_CLIENT':
    case 'AUTH_SCOPE':
    case 'AUTH_TOKEN':
    case 'AUTH_FORBIDDEN':
      // The hint names what the administrator of the instance has to change.
      return `ask for help: ${message}. ${hint ?? ''}`;
    default:
      return `look into it: ${code}: ${message}. ${hint ?? ''}`;
  }
}

/** @returns {Promise<TablevaultError | null>} */
async function takeSnapshot() {
  try {
    return (await runSnapshot(await readPipeline(file))).error;
  } catch (error) {
    // readPipeline throws when the pipeline file is wrong; any other exception is a bug.
    if (error instanceof TablevaultError) return error;
    throw error;
  }
}

const error = await takeSnapshot();
process.stdout.write(`${error === null ? 'done' : decide(error)}\n`);
process.exitCode = error?.exitCode ?? 0;
