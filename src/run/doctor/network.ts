/** The way to the instance below HTTP: names, connections, certificates, proxies. Sends nothing of the pipeline. */
import { lookup } from 'node:dns/promises';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { bare, proxyFor } from '../../core/address.ts';
import type { Clock } from '../../core/clock.ts';
import { EXIT, EXIT_CODE_OF, TablevaultError } from '../../core/errors.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import { plural } from '../../core/words.ts';
import { networkError } from '../../instance/errors.ts';
import { TRANSPORT_DEFAULTS } from '../../instance/transport-options.ts';
import type { StepFinding } from './steps.ts';

const CONNECT_MS = 10_000;
const DAY_MS = 86_400_000;
/** A certificate that ends sooner is worth a word. */
const WARN_DAYS = 14;

/** Origins that the pipeline names, each once. */
function originsOf({ instance, endpoints }: Pipeline): readonly URL[] {
  const named = [instance, endpoints.tableApi, endpoints.identity].filter((text) => text !== undefined);
  return [...new Map(named.map((text) => [new URL(text).origin, new URL(text)])).values()];
}

/** Looks the hosts up, or those of their proxies. */
export async function lookUpNames(pipeline: Pipeline): Promise<StepFinding> {
  const details: string[] = [];
  for (const origin of originsOf(pipeline)) {
    const proxy = proxyFor(origin, TRANSPORT_DEFAULTS.env);
    const host = bare((proxy ?? origin).hostname);
    const by = proxy === undefined ? '' : ` (the proxy for ${origin.hostname})`;
    if (isIP(host) !== 0) {
      details.push(`${host}${by} is an address`);
      continue;
    }
    try {
      const found = await lookup(host, { all: true });
      details.push(`${host}${by} is ${found.map(({ address }) => address).join(', ')}`);
    } catch (thrown) {
      throw blamed(thrown, proxy, { url: (proxy ?? origin).href, purpose: 'the look-up of the name' });
    }
  }
  return { found: details[0] ?? '', details: details.slice(1), value: undefined };
}

/** Opens a connection to each host, with TLS where it is https. Through a proxy only the proxy itself is tried. */
export async function tryConnections(pipeline: Pipeline, clock: Clock, signal: AbortSignal): Promise<StepFinding> {
  const details: string[] = [];
  let fix: string | undefined;
  for (const origin of originsOf(pipeline)) {
    const proxy = proxyFor(origin, TRANSPORT_DEFAULTS.env);
    const target = proxy ?? origin;
    try {
      if (target.protocol === 'https:') {
        const { text, daysLeft } = await tryTls(target, clock, signal);
        details.push(text);
        if (daysLeft < WARN_DAYS)
          fix = `The certificate of ${target.hostname} expires in ${plural(daysLeft, 'day')}: renew it.`;
      } else {
        (await opened(target, () => connectTcp(placeOf(target)), 'connect', signal)).destroy();
        details.push(`${target.host} accepts connections`);
      }
    } catch (thrown) {
      throw blamed(thrown, proxy, { url: target.href, purpose: 'the connection' });
    }
    if (proxy !== undefined) details.push(`${origin.host} is reached through the proxy ${proxy.host}`);
  }
  const finding = { found: details[0] ?? '', details: details.slice(1), value: undefined };
  return fix === undefined ? finding : { ...finding, fix };
}

/** What went wrong with the host that was asked: the instance's, or its proxy's, which the pipeline does not name. */
function blamed(thrown: unknown, proxy: URL | undefined, place: Parameters<typeof networkError>[1]): unknown {
  const error = networkError(thrown, place);
  if (proxy === undefined || !(error instanceof TablevaultError) || EXIT_CODE_OF[error.code] !== EXIT.instance)
    return error;
  return new TablevaultError(error.code, `the proxy ${proxy.host}: ${error.message}`, {
    at: error.at,
    cause: thrown,
    hint: 'Check host and port in HTTPS_PROXY, and that the proxy is running; NO_PROXY names hosts that are asked without it.',
  });
}

async function tryTls(
  url: URL,
  clock: Clock,
  signal: AbortSignal,
): Promise<{ readonly text: string; readonly daysLeft: number }> {
  const host = bare(url.hostname);
  const named = isIP(host) === 0 ? { servername: host } : {};
  const socket = await opened<TLSSocket>(url, () => connectTls({ ...placeOf(url), ...named }), 'secureConnect', signal);
  const { issuer, valid_to: validTo } = socket.getPeerCertificate();
  const protocol = socket.getProtocol();
  socket.destroy();
  const by = [issuer?.O, issuer?.CN].flat().filter((name) => name !== undefined);
  const daysLeft = Math.floor((Date.parse(validTo) - clock.now()) / DAY_MS);
  const text = `${url.host} speaks ${protocol}; its certificate was issued by ${by.join(', ') || 'an authority without a name'} and expires on ${new Date(validTo).toISOString().slice(0, 10)}`;
  return { text, daysLeft };
}

function opened<S extends Socket>(
  url: URL,
  open: () => S,
  event: 'connect' | 'secureConnect',
  signal: AbortSignal,
): Promise<S> {
  return new Promise((resolve, reject) => {
    const socket = open();
    const end = (error: unknown) => {
      socket.destroy();
      reject(error);
    };
    const onAbort = () => end(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const timer = setTimeout(() => end(silent(url)), CONNECT_MS);
    const stopWaiting = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    socket.once('error', (error) => {
      stopWaiting();
      end(error);
    });
    socket.once(event, () => {
      stopWaiting();
      resolve(socket);
    });
  });
}

function silent(url: URL): TablevaultError {
  return new TablevaultError(
    'INSTANCE_UNREACHABLE',
    `${url.host} does not accept a connection within ${CONNECT_MS / 1000} s`,
    {
      at: { host: url.host },
      hint: 'Check network, VPN and firewall, and whether a proxy is needed (HTTPS_PROXY, NO_PROXY).',
    },
  );
}

function placeOf({ hostname, port, protocol }: URL): { readonly host: string; readonly port: number } {
  return { host: bare(hostname), port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) };
}
