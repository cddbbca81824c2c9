/** What is wrong with a pipeline file, all of it at once, in words that say where and what to write instead. */
import type { z } from 'zod';
import { type ErrorCode, TablevaultError } from '../core/errors.ts';
import { nearestName } from '../core/near-names.ts';
import { packageFile } from '../core/package-files.ts';

export interface Problem {
  readonly code: ErrorCode;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly hint?: string;
}

type JsonSchema = { readonly [key: string]: unknown };

/** zod's issues as problems: one for each path, unknown keys with the nearest known one. */
export function problemsOf(issues: readonly z.core.$ZodIssue[], data: unknown, schema: JsonSchema): Problem[] {
  const problems = issues.flatMap((issue): Problem[] => {
    if (issue.code === 'unrecognized_keys') {
      const known = knownKeys(schema, data, issue.path);
      return issue.keys.map((key) => ({
        code: 'CONFIG_INVALID',
        path: [...issue.path, key],
        message: `is not a known key; the nearest known key is "${nearestName(key, known)}" (known here: ${known.join(', ')})`,
      }));
    }
    return [{ code: 'CONFIG_INVALID', path: issue.path, message: messageOf(issue, valueAt(data, issue.path)) }];
  });
  const seen = new Set<string>();
  return problems.filter(({ path }) => !seen.has(dotted(path)) && seen.add(dotted(path)));
}

/** The error that names every problem with its line; a secret in clear gives the whole its code. */
export function pipelineError(
  file: string,
  problems: readonly (Problem & { readonly line: number })[],
): TablevaultError {
  const lines = problems
    .toSorted((a, b) => a.line - b.line)
    .map(({ line, path, message }) => `line ${line}: ${path.length === 0 ? '' : `${dotted(path)} `}${message}`);
  const first = problems.find(({ code }) => code === 'SECRET_IN_CLEAR') ?? problems[0]!;
  const same = problems.every(({ code }) => code === first.code);
  const code = same || first.code === 'SECRET_IN_CLEAR' ? first.code : 'CONFIG_INVALID';
  const message =
    lines.length === 1 ? `${file}, ${lines[0]}` : `${file} has ${lines.length} problems: ${lines.join('; ')}`;
  const hint = problems.find((problem) => problem.code === code)?.hint;
  return new TablevaultError(code, message, {
    hint: hint ?? `Correct the file; ${packageFile('schemas/pipeline.schema.json')} describes every key.`,
  });
}

/** `tables.include[0]`; keys that are no plain words are quoted, and long ones cut. */
function dotted(path: readonly PropertyKey[]): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      const name = String(step);
      const short = name.length > 60 ? `${name.slice(0, 57)}…` : name;
      const plain = /^[\w-]+$/.test(short) ? short : JSON.stringify(short);
      return index === 0 ? plain : `.${plain}`;
    })
    .join('');
}

function messageOf(issue: z.core.$ZodIssue, value: unknown): string {
  if (value === undefined) return 'is missing';
  switch (issue.code) {
    case 'invalid_type':
      if (value === null) return `is empty; ${nounOf(issue.expected)} is expected (or leave the line out)`;
      return issue.message.startsWith('Invalid') ? `must be ${nounOf(issue.expected)}` : issue.message;
    case 'invalid_value':
      return issue.message.startsWith('Invalid') ? `must be one of ${issue.values.join(', ')}` : issue.message;
    case 'invalid_union': {
      const options = 'options' in issue && Array.isArray(issue.options) ? issue.options : [];
      return `must be one of ${options.join(', ')}`;
    }
    case 'too_small':
      return issue.message.startsWith('Too') ? `must be at least ${issue.minimum}` : issue.message;
    case 'too_big':
      return `must be at most ${issue.maximum}`;
    default:
      return issue.message;
  }
}

function nounOf(expected: string): string {
  const nouns: Readonly<Record<string, string>> = {
    object: 'a block of keys',
    record: 'a block of keys',
    array: 'a list, such as ["Gen_*"]',
    string: 'text',
    int: 'a whole number',
    number: 'a number',
  };
  return nouns[expected] ?? expected;
}

function valueAt(data: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((at, step) => (isObject(at) ? at[step as string] : undefined), data);
}

/** Keys that the schema allows at `path`; of alternatives, those whose `kind` is the one written. */
function knownKeys(schema: JsonSchema, data: unknown, path: readonly PropertyKey[]): string[] {
  let at: JsonSchema = schema;
  for (const [index, step] of path.entries()) {
    const properties = isObject(at['properties']) ? at['properties'] : {};
    const next = properties[String(step)] ?? at['additionalProperties'];
    at = isObject(next) ? chosen(next, valueAt(data, path.slice(0, index + 1))) : {};
  }
  return isObject(at['properties']) ? Object.keys(at['properties']) : [];
}

function chosen(schema: JsonSchema, value: unknown): JsonSchema {
  if (!Array.isArray(schema['oneOf'])) return schema;
  const kind = isObject(value) ? value['kind'] : undefined;
  const options = schema['oneOf'].filter(isObject);
  const kindOf = (option: JsonSchema) => valueAt(option, ['properties', 'kind', 'const']);
  return options.find((option) => kindOf(option) === kind) ?? schema;
}

function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null;
}
