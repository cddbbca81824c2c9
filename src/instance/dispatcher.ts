/** The connection pool of one transport. */
import { Agent, type Dispatcher, Pool, ProxyAgent } from 'undici';
import { type Environment, proxyFor } from '../core/address.ts';

export interface DispatcherOptions {
  /** Connections to one origin at most. */
  readonly connections: number;
  readonly connectTimeoutMs: number;
  /** HTTPS_PROXY and NO_PROXY are read from here (upper or lower case). */
  readonly env: Environment;
}

/** Redirects are not followed (undici's default), nothing is pipelined: a request that hangs must not hold up another. */
export function createDispatcher({ connections, connectTimeoutMs, env }: DispatcherOptions): Dispatcher {
  const options = { connections, pipelining: 1, connect: { timeout: connectTimeoutMs } };
  return new Agent({
    ...options,
    factory(origin) {
      const proxy = proxyFor(new URL(origin), env);
      return proxy === undefined ? new Pool(origin, options) : new ProxyAgent({ ...options, uri: proxy.href });
    },
  });
}
