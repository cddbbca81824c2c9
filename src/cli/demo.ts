/** `tablevault demo`: the embedded demo instance, until stopped. */
import { once } from 'node:events';
import type { Command } from 'commander';
import { EXIT, TablevaultError } from '../core/errors.ts';
import { packageFile } from '../core/package-files.ts';
import { plural } from '../core/words.ts';
import type { DemoInstance } from '../demo/instance.ts';
import type { CliContext } from './context.ts';
import { jsonOption, withHelp } from './help.ts';
import { factor, port } from './options.ts';

interface Options {
  readonly port: number;
  readonly controlPort: number;
  readonly rows: number;
  readonly model?: string;
  readonly json?: true;
}

export function addDemo(program: Command, context: CliContext): void {
  const command = program
    .command('demo')
    .summary('serve the embedded demo instance until stopped')
    .description(
      'Serves a made-up ERP.net instance on 127.0.0.1, with discovery, identity and a Table API with 40 tables, until you press Ctrl-C. The credentials that it prints work only there. As on a real instance, each command that reads it holds a licence seat until twenty minutes after its last request. It has 20 of them: when none is free, stop it and start it again.',
    )
    .option('--port <n>', 'port to serve on; 0 takes a free one', port, 0)
    .option(
      '--control-port <n>',
      'port that controls its switches and faults and shows its record of requests; 0 takes a free one',
      port,
      0,
    )
    .option('--rows <factor>', 'multiply the rows of every table by this, such as 0.1 or 10', factor, 1)
    .option('--model <file>', 'file with other tables to serve in place of the 40 (JSON, or JSON lines)')
    .addOption(jsonOption())
    .action(async (options: Options) => {
      await demo(context, options);
    });
  withHelp(command, { examples: ['tablevault demo --port 8080 --rows 10'] });
}

async function demo(context: CliContext, options: Options): Promise<void> {
  const { screen, output, signal } = context;
  const instance = await start(options);
  try {
    const { service } = instance.credentials;
    // One of its own: a token is locked while a process uses it, and another demo instance may run on this machine.
    const { token: referenceToken } = instance.issueReferenceToken({
      kind: 'SAT',
      application: service.clientId,
      by: 'administrator',
    });
    if (options.json) {
      // Written past the redactor: these credentials are worth nothing elsewhere, and are the very thing asked for.
      const { url, controlUrl } = instance;
      await output.data(`${JSON.stringify({ url, controlUrl, service, referenceToken })}\n`);
    } else {
      await output.data(
        [
          `TABLEVAULT_DEMO_URL=${instance.url}`,
          `TABLEVAULT_DEMO_CLIENT_ID=${service.clientId}`,
          `TABLEVAULT_DEMO_CLIENT_SECRET=${service.clientSecret}`,
          `TABLEVAULT_DEMO_TOKEN=${referenceToken}`,
          `TABLEVAULT_DEMO_CONTROL_URL=${instance.controlUrl}`,
          '',
        ].join('\n'),
      );
    }
    screen.line(`The demo instance serves at ${instance.url}; stop it with Ctrl-C.`);
    screen.line(
      `Its switches, faults and record of requests are at ${instance.controlUrl}, which lists them when it is opened.`,
    );
    const { DEFAULT_LIMITS } = await import('../demo/options.ts');
    screen.line(
      `It has ${plural(DEFAULT_LIMITS.seats, 'licence seat')}: each command that reads it holds one for twenty minutes. When none is free, stop it and start it again.`,
    );
    screen.line(
      output.width() !== undefined
        ? 'To use it from another shell, start it as `tablevault demo >demo.env`, and read the variables there with `set -a; . ./demo.env; set +a`.'
        : 'To use it from another shell, read the variables there, as with `set -a; . ./demo.env; set +a`.',
    );
    screen.line(`Then run: tablevault snapshot ${packageFile('pipelines/demo.yaml')} --destination ./demo-vault`);
    if (!signal.aborted) await once(signal, 'abort');
  } finally {
    await instance.close();
  }
  // Being stopped is how it ends: no error, though the exit code says it.
  screen.line('The demo instance has stopped.');
  context.exitCode = EXIT.interrupted;
}

/** @throws TablevaultError USAGE for a port that is taken or not allowed; CONFIG_INVALID for a table model that cannot be read */
async function start({ port, controlPort, rows, model }: Options): Promise<DemoInstance> {
  const { startDemo } = await import('../demo/instance.ts');
  try {
    return await startDemo({ port, controlPort, rows, ...(model === undefined ? {} : { modelFile: model }) });
  } catch (thrown) {
    const { code, port: wanted } = thrown as NodeJS.ErrnoException & { readonly port?: number };
    if (code !== 'EADDRINUSE' && code !== 'EACCES') throw thrown;
    const why = code === 'EACCES' ? 'may not be taken by this user' : 'is in use';
    throw new TablevaultError('USAGE', `port ${wanted} of this machine ${why}`, {
      cause: thrown,
      hint: 'Name another port, or 0 for a free one.',
    });
  }
}
