/** `tablevault demo`: the embedded demo instance, until stopped. */
import { once } from 'node:events';
import type { Command } from 'commander';
import type { CliContext } from './context.ts';
import { jsonOption, withHelp } from './help.ts';
import { port } from './options.ts';

interface Options {
  readonly port: number;
  readonly json?: true;
}

export function addDemo(program: Command, context: CliContext): void {
  const command = program
    .command('demo')
    .summary('the embedded demo instance, until stopped')
    .description(
      'Serves a made-up ERP.net instance on 127.0.0.1: discovery, identity and Table API with 40 tables. The credentials it prints are worth nothing elsewhere. Ends with Ctrl-C.',
    )
    .option('--port <n>', 'port to serve on; 0 takes a free one', port, 0)
    .addOption(jsonOption())
    .action(async (options: Options) => {
      await demo(context, options);
    });
  withHelp(command, { examples: ['tablevault demo --port 8080'] });
}

async function demo(context: CliContext, options: Options): Promise<void> {
  const { screen, output, signal } = context;
  const { startDemo } = await import('../demo/instance.ts');
  const instance = await startDemo({ port: options.port });
  try {
    const { service, referenceToken } = instance.credentials;
    if (options.json) {
      // Written past the redactor: these credentials are made up at each start and are the very thing asked for.
      const { url, controlUrl } = instance;
      await output.data(`${JSON.stringify({ url, controlUrl, service, referenceToken })}\n`);
    } else {
      await output.data(
        [
          `TABLEVAULT_DEMO_URL=${instance.url}`,
          `TABLEVAULT_DEMO_CLIENT_ID=${service.clientId}`,
          `TABLEVAULT_DEMO_CLIENT_SECRET=${service.clientSecret}`,
          `TABLEVAULT_DEMO_TOKEN=${referenceToken}`,
          '',
        ].join('\n'),
      );
    }
    screen.line(`The demo instance serves at ${instance.url}; stop it with Ctrl-C.`);
    screen.line('Set the variables above and run: tablevault snapshot pipelines/demo.yaml --destination ./demo-vault');
    if (!signal.aborted) await once(signal, 'abort');
  } finally {
    await instance.close();
  }
  signal.throwIfAborted();
}
