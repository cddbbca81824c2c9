import { Agent, type Dispatcher, EnvHttpProxyAgent } from 'undici';

export interface DispatcherOptions {
  /** Connections to one origin at most. */
  readonly connections: number;
  readonly connectTimeoutMs: number;
  /** HTTPS_PROXY and NO_PROXY are read from here (upper or lower case). */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Names of this machine, never asked through a proxy. */
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]', '::1'];

/**
 * The connection pool of one transport. Redirects are not followed (undici's default), nothing is pipelined: a request that hangs must not
 * hold up another.
 */
export function createDispatcher({ connections, connectTimeoutMs, env }: DispatcherOptions): Dispatcher {
  const options = { connections, pipelining: 1, connect: { timeout: connectTimeoutMs } };
  const httpsProxy = env['https_proxy'] ?? env['HTTPS_PROXY'];
  if (httpsProxy === undefined || httpsProxy === '') return new Agent(options);
  const noProxy = [env['no_proxy'] ?? env['NO_PROXY'] ?? '', ...LOOPBACK].filter((name) => name !== '').join(',');
  return new EnvHttpProxyAgent({ ...options, httpProxy: httpsProxy, httpsProxy, noProxy });
}
