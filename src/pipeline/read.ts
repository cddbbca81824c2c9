/**
 * Reads a pipeline file: YAML, shape, references, addresses. Everything that is wrong is reported at once, each with its line;
 * nothing is guessed, and nothing of a secret gets into a message.
 */
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, resolve } from 'node:path';
import { parseDuration } from '../core/duration.ts';
import { TablevaultError } from '../core/errors.ts';
import type { Auth, Endpoints, Expectations, Pipeline, TableOverride } from '../core/pipeline.ts';
import { Secret } from '../core/secret.ts';
import { parsePrivateKey } from '../core/signing-key.ts';
import { plural } from '../core/words.ts';
import { type Checked, checkDestination, checkHttpAddress, checkInstance } from './address.ts';
import { type Problem, pipelineError, problemsOf } from './problems.ts';
import { type PipelineFile, pipelineFileSchema, pipelineJsonSchema } from './schema.ts';
import {
  isReference,
  type ReferenceContext,
  resolveClientSecret,
  resolveSecretText,
  resolveText,
  resolveToken,
} from './secret-references.ts';
import { parseYaml, type YamlFile } from './yaml.ts';

export interface ReadPipelineOptions {
  /** Where `${env:NAME}` looks. Default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What the command line says instead of the file; relative folders here count from the working directory. */
  readonly overrides?: { readonly destination?: string };
}

const MAX_FILE_BYTES = 1_048_576;

/** A reference token of ERP.net, which must never stand in a file. */
const REFERENCE_TOKEN = /enrt_[A-Za-z0-9]/;

/**
 * The pipeline in `file`, ready to run.
 * @throws TablevaultError CONFIG_NOT_FOUND, CONFIG_INVALID, SECRET_IN_CLEAR, SECRET_MISSING
 */
export async function readPipeline(file: string, options: ReadPipelineOptions = {}): Promise<Pipeline> {
  const path = resolve(file);
  const yaml = parseYaml(await readText(file, path));
  if ('problems' in yaml) {
    const hint = '`tablevault init` writes a pipeline to start from.';
    throw pipelineError(
      file,
      yaml.problems.map((problem) => ({ code: 'CONFIG_INVALID', path: [], hint, ...problem })),
    );
  }
  const data = withOverrides(yaml.data, options.overrides);
  const clear = secretsInClear(data);
  const parsed = pipelineFileSchema.safeParse(data);
  if (!parsed.success) {
    const shape = problemsOf(parsed.error.issues, data, pipelineJsonSchema());
    throw fail(file, yaml, merged(clear, shape));
  }
  if (clear.length > 0) throw fail(file, yaml, clear);
  return complete(file, path, parsed.data, yaml, options);
}

async function readText(file: string, path: string): Promise<string> {
  if (file.trim() === '') {
    throw new TablevaultError('CONFIG_NOT_FOUND', `${JSON.stringify(file)} names no pipeline file`, {
      hint: 'Name the file, or let `tablevault init` write a starter pipeline.',
    });
  }
  try {
    const found = await stat(path);
    if (found.isFile() && found.size > MAX_FILE_BYTES) {
      throw new TablevaultError(
        'CONFIG_INVALID',
        `${file} is ${plural(found.size, 'byte')} long, too long for a pipeline`,
        {
          hint: 'Name the pipeline file itself.',
        },
      );
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (error) {
    if (error instanceof TablevaultError) throw error;
    if (error instanceof TypeError) {
      throw new TablevaultError('CONFIG_INVALID', `${file} is not UTF-8 text`, { hint: 'Save the pipeline as UTF-8.' });
    }
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw new TablevaultError('CONFIG_NOT_FOUND', `the pipeline ${file} cannot be read (${code})`, {
      hint: 'Check the path, or let `tablevault init` write a starter pipeline.',
    });
  }
}

function withOverrides(data: unknown, overrides: ReadPipelineOptions['overrides']): unknown {
  if (overrides?.destination === undefined || !isBlock(data)) return data;
  const destination = checkDestination(overrides.destination, process.cwd());
  if ('wrong' in destination) {
    throw new TablevaultError('USAGE', `--destination ${destination.wrong}`, {
      hint: 'Give a folder or s3://bucket/prefix.',
    });
  }
  return { ...data, destination: destination.value };
}

/** Secrets where references belong, and reference tokens anywhere at all; found even when the file has other faults. */
function secretsInClear(data: unknown): Problem[] {
  const problems: Problem[] = [];
  const seek = (value: unknown, path: readonly PropertyKey[]): void => {
    const isSecretPlace = ['auth.clientSecret', 'auth.token', 'signing.key'].includes(path.join('.'));
    if (isBlock(value) && !isSecretPlace) {
      for (const [key, inner] of Object.entries(value))
        seek(inner, Array.isArray(value) ? [...path, Number(key)] : [...path, key]);
      return;
    }
    const inPlace =
      isSecretPlace && value !== null && value !== '' && !(typeof value === 'string' && isReference(value));
    if (inPlace || (typeof value === 'string' && REFERENCE_TOKEN.test(value))) {
      problems.push(inClear(path, 'holds a secret in clear'));
    }
  };
  seek(data, []);
  return problems;
}

function inClear(path: readonly PropertyKey[], message: string): Problem {
  return {
    code: 'SECRET_IN_CLEAR',
    path,
    message: `${message}; write \${env:NAME}, \${file:path} or \${aws-secret:NAME} instead`,
    hint: 'Move the secret into an environment variable or a file outside the repository; if the pipeline was shared or committed, have the secret replaced.',
  };
}

/** Both lists, without the second's word on a place that the first has named. */
function merged(first: readonly Problem[], second: readonly Problem[]): Problem[] {
  const named = new Set(first.map(({ path }) => path.join('.')));
  return [...first, ...second.filter(({ path }) => !named.has(path.join('.')))];
}

/** References resolved, addresses checked, durations counted. */
async function complete(
  file: string,
  path: string,
  shape: PipelineFile,
  yaml: YamlFile,
  options: ReadPipelineOptions,
): Promise<Pipeline> {
  const folder = dirname(path);
  const context: ReferenceContext = { env: options.env ?? process.env, folder };
  const problems: Problem[] = [];

  const text = async (
    value: string,
    at: readonly PropertyKey[],
    check: (value: string) => Checked,
  ): Promise<string> => {
    const resolved = await resolveText(value, at, context);
    if (typeof resolved !== 'string') {
      problems.push(resolved);
      return '';
    }
    const checked = check(resolved);
    if ('value' in checked) return checked.value;
    problems.push(
      checked.secret ? inClear(at, checked.wrong) : { code: 'CONFIG_INVALID', path: at, message: checked.wrong },
    );
    return '';
  };
  const secret = async (value: string, at: readonly PropertyKey[], resolve: typeof resolveToken): Promise<Secret> => {
    const resolved = await resolve(value, at, context);
    if (resolved instanceof Secret) return resolved;
    problems.push(resolved);
    return new Secret('');
  };

  const instance = await text(shape.instance, ['instance'], checkInstance);
  const auth = await completeAuth(shape.auth, text, secret);
  const endpoints: Endpoints = {
    ...(shape.endpoints.tableApi === undefined
      ? {}
      : { tableApi: await text(shape.endpoints.tableApi, ['endpoints', 'tableApi'], checkHttpAddress) }),
    ...(shape.endpoints.identity === undefined
      ? {}
      : { identity: await text(shape.endpoints.identity, ['endpoints', 'identity'], checkHttpAddress) }),
  };
  const signingKey = shape.signing === undefined ? undefined : await completeSigningKey(shape.signing.key, context);
  if (signingKey !== undefined && !(signingKey instanceof Secret)) problems.push(signingKey);
  const destination = await text(shape.destination, ['destination'], (value) => checkDestination(value, folder));
  if (problems.length > 0) throw fail(file, yaml, problems);

  const { resumeWithin, deadline, ...limits } = shape.limits;
  return {
    file: path,
    // Two names never become one: what is kept by name would be mixed. Some file systems take letters with marks apart.
    name: basename(path, extname(path)).normalize('NFC'),
    instance,
    auth,
    endpoints,
    tables: { ...shape.tables, overrides: withoutUndefined(shape.tables.overrides) },
    destination,
    limits: { ...limits, resumeWithinMs: parseDuration(resumeWithin)!, deadlineMs: parseDuration(deadline)! },
    parquet: shape.parquet,
    expect: dropUndefined(shape.expect) as Expectations,
    ...(signingKey instanceof Secret ? { signingKey } : {}),
  };
}

async function completeSigningKey(value: string, context: ReferenceContext): Promise<Secret | Problem> {
  const found = await resolveSecretText(value, ['signing', 'key'], context);
  if (!(found instanceof Secret) || parsePrivateKey(found.reveal()) !== undefined) return found;
  return {
    code: 'CONFIG_INVALID',
    path: ['signing', 'key'],
    message: `names ${value}, which holds no Ed25519 private key`,
    hint: 'Make one with `openssl genpkey -algorithm ed25519`.',
  };
}

async function completeAuth(
  auth: PipelineFile['auth'],
  text: (value: string, at: readonly PropertyKey[], check: (value: string) => Checked) => Promise<string>,
  secret: (value: string, at: readonly PropertyKey[], resolve: typeof resolveToken) => Promise<Secret>,
): Promise<Auth> {
  switch (auth.kind) {
    case 'service': {
      const clientId = await text(auth.clientId, ['auth', 'clientId'], (value) => ({ value }));
      const clientSecret = await secret(auth.clientSecret, ['auth', 'clientSecret'], resolveClientSecret);
      return { kind: 'service', clientId, clientSecret };
    }
    case 'reference-token':
      return {
        kind: 'reference-token',
        token: await secret(auth.token, ['auth', 'token'], resolveToken),
        header: auth.header,
      };
  }
}

function withoutUndefined(overrides: PipelineFile['tables']['overrides']): Record<string, TableOverride> {
  return Object.fromEntries(
    Object.entries(overrides).map(([name, override]) => [name, dropUndefined(override) as TableOverride]),
  );
}

function dropUndefined(block: object): object {
  return Object.fromEntries(Object.entries(block).filter(([, value]) => value !== undefined));
}

function fail(file: string, yaml: YamlFile, problems: readonly Problem[]): TablevaultError {
  return pipelineError(
    file,
    problems.map((problem) => ({ ...problem, line: yaml.lineOf(problem.path) })),
  );
}

function isBlock(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
