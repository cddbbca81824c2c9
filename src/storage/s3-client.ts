/** The client of S3: region, credentials, endpoint and proxy from the environment. */
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { type Environment, proxyFor, withoutUser } from '../core/address.ts';
import { TablevaultError } from '../core/errors.ts';
import { keyProblem } from './key.ts';

export interface S3Address {
  readonly bucket: string;
  /** Empty, or ends with `/`. */
  readonly prefix: string;
}

/**
 * `s3://bucket/prefix`.
 * @throws TablevaultError `USAGE`.
 */
export function parseS3Uri(uri: string): S3Address {
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/i.exec(uri);
  const prefix = (match?.[2] ?? '').replace(/\/+$/, '');
  const problem = prefix === '' ? undefined : keyProblem(prefix);
  if (match?.[1] === undefined || problem !== undefined) {
    throw new TablevaultError(
      'USAGE',
      `${JSON.stringify(withoutUser(uri))} is not the address of a bucket${problem ? `: of the prefix, ${problem}` : ''}`,
      {
        hint: 'Write s3://bucket/prefix; credentials belong in the AWS variables.',
      },
    );
  }
  return { bucket: match[1], prefix: prefix === '' ? '' : `${prefix}/` };
}

/** Connections at once at most. */
const SOCKETS = { maxSockets: 50, keepAlive: true };

// The SDK prints six lines about its plans for old versions of Node at each start; docs/first-week.md says what to know of it.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

/**
 * The SDK's client, without retries of its own (the store retries what it may). Checksums beyond the signed payload hash only
 * where S3 requires them: other servers refuse the trailers. HTTPS_PROXY and NO_PROXY are honoured.
 */
export function createS3Client(env: Environment): S3Client {
  const endpoint = env['AWS_ENDPOINT_URL_S3'] ?? env['AWS_ENDPOINT_URL'];
  const region = env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? (endpoint === undefined ? undefined : 'us-east-1');
  const config: S3ClientConfig = {
    maxAttempts: 1,
    forcePathStyle: pathStyle(env),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: 10_000,
      socketTimeout: 60_000,
      httpsAgent: proxyAgent(endpoint || `https://s3.${region ?? 'us-east-1'}.amazonaws.com`, env) ?? SOCKETS,
      httpAgent: SOCKETS,
    },
  };
  if (endpoint !== undefined && endpoint !== '') config.endpoint = checkedEndpoint(endpoint);
  if (region !== undefined && region !== '') config.region = region;
  const credentials = explicitCredentials(env);
  if (credentials !== undefined) config.credentials = credentials;
  return new S3Client(config);
}

/**
 * Looks for a region where the environment names neither one nor an endpoint: in the files of the AWS command line.
 * @throws TablevaultError CONFIG_INVALID when there is none
 */
export async function checkRegion(env: Environment): Promise<void> {
  const client = createS3Client(env);
  try {
    await client.config.region();
  } catch (cause) {
    throw new TablevaultError('CONFIG_INVALID', 'no region is set for S3', {
      cause,
      hint: "Set AWS_REGION to the bucket's region, or AWS_ENDPOINT_URL_S3 to the address of a server of your own.",
    });
  } finally {
    client.destroy();
  }
}

/** `TABLEVAULT_S3_PATH_STYLE`: `true` or `1` puts the bucket into the path, as servers without a DNS name for each bucket need it. */
function pathStyle(env: Environment): boolean {
  const value = (env['TABLEVAULT_S3_PATH_STYLE'] ?? '').toLowerCase();
  if (value === '1' || value === 'true') return true;
  if (value === '' || value === '0' || value === 'false') return false;
  throw new TablevaultError('CONFIG_INVALID', `TABLEVAULT_S3_PATH_STYLE is ${JSON.stringify(value)}`, {
    hint: 'Set it to true or false.',
  });
}

/** A way through the proxy of this address; undefined where it is asked directly. */
function proxyAgent(endpoint: string, env: Environment): HttpsProxyAgent<string> | undefined {
  const proxy = URL.canParse(endpoint) ? proxyFor(new URL(endpoint), env) : undefined;
  return proxy && new HttpsProxyAgent(proxy.href, SOCKETS);
}

/** For an environment that is not the process's own the SDK's chain would look in the wrong place. */
function explicitCredentials(env: Environment) {
  const accessKeyId = env['AWS_ACCESS_KEY_ID'];
  const secretAccessKey = env['AWS_SECRET_ACCESS_KEY'];
  if (env === process.env || accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  const sessionToken = env['AWS_SESSION_TOKEN'];
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

function checkedEndpoint(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '')
    return endpoint;
  throw new TablevaultError('CONFIG_INVALID', 'AWS_ENDPOINT_URL_S3 is not an http(s) address without credentials', {
    hint: 'Write it as https://host:port; credentials belong in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
  });
}
