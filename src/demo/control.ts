/**
 * The control port: what `DemoInstance` offers in process, as JSON over HTTP on loopback, for tests that run the product as another
 * process. `GET /` lists what there is.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import * as z from 'zod';
import { asTablevaultError, TablevaultError } from '../core/errors.ts';
import type { DemoInstance } from './contract.ts';
import { DEFAULT_LIMITS } from './options.ts';
import { DEFAULT_PERSONALITY } from './personality.ts';
import { DEFAULT_RIGHTS } from './rights.ts';

const anyObject = z.record(z.string(), z.unknown());

const schemaChange = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('add'),
    table: z.string(),
    column: z.object({ name: z.string(), type: z.string() }).loose(),
  }),
  z.object({ kind: z.literal('drop'), table: z.string(), column: z.string() }),
  z.object({ kind: z.literal('widen'), table: z.string(), column: z.string(), type: z.string() }),
]);

const referenceOrder = z
  .object({ kind: z.enum(['SAT', 'PAT']), application: z.string(), by: z.enum(['administrator', 'user']) })
  .loose();

type Handler = (instance: DemoInstance, body: Record<string, unknown>) => unknown;

/** For a person who opens the address: every control, with what it does. */
const CONTROLS: Readonly<Record<string, string>> = {
  'GET /witness': 'every request that the instance was sent, and the faults that it played',
  'GET /tables': 'its tables, with rows and keys',
  'GET /rows/<Table>': 'the true rows of a table, one JSON object a line',
  'GET /credentials': 'its service identity and its reference token',
  'GET /changes': 'what was written to its tables',
  'GET /switches': 'every switch of POST /configure, with its value at the start',
  'POST /configure':
    'switches, such as {"limits": {"latencyMs": 1500, "seats": 200}}, {"personality": {"count": false}}, {"rights": {"maxRows": 2000}} or {"faults": [{"on": {"path": "Gen_Parties", "nth": 1}, "do": "reset"}]}; what a fault may do stands in src/demo/options.ts',
  'POST /write': 'changes rows: {"inserts": 1, "updates": 2, "deletes": 1, "tables": ["Gen_Documents"]}',
  'POST /start-writer': 'changes rows again and again: {"order": {"updates": 5}, "everyMs": 100}',
  'POST /stop-writer': 'ends that',
  'POST /change-schema':
    'drops, adds or widens a column: {"kind": "drop", "table": "Gen_Parties", "column": "Notes"}, {"kind": "add", "table": "Gen_Parties", "column": {"name": "Age", "type": "int", "nullable": true}} or {"kind": "widen", "table": "Gen_Parties", "column": "Age", "type": "bigint"}',
  'POST /revoke': 'revokes a token, or all: {"token": ...}',
  'POST /rotate-keys': 'signs tokens with a new key',
  'POST /advance-clock': 'moves its clock on: {"ms": 1200000}; sessions and tokens grow older',
  'POST /issue-token':
    'issues a reference token: {"kind": "SAT", "application": "my.app/backup", "by": "administrator"}, or a PAT of a user',
};

// The bodies are those of the methods of the same name; this port serves tests, which are typed where they are written.
const POSTS: Readonly<Record<string, Handler>> = {
  '/configure': (instance, body) => instance.configure(body),
  '/write': (instance, body) => instance.write(body),
  '/start-writer': (instance, body) =>
    instance.startWriter((body['order'] ?? {}) as object, Number(body['everyMs'] ?? 100)),
  '/stop-writer': (instance) => instance.stopWriter(),
  '/change-schema': (instance, body) =>
    instance.changeSchema(fitting('/change-schema', schemaChange, body) as Parameters<DemoInstance['changeSchema']>[0]),
  '/revoke': (instance, body) => instance.revokeTokens(body['token'] === undefined ? undefined : String(body['token'])),
  '/rotate-keys': (instance) => instance.rotateKeys(),
  '/advance-clock': (instance, body) => instance.advanceClock(Number(body['ms'])),
  '/issue-token': (instance, body) =>
    instance.issueReferenceToken(
      fitting('/issue-token', referenceOrder, body) as Parameters<DemoInstance['issueReferenceToken']>[0],
    ),
};

/** The body, once it has the members that the control needs. @throws USAGE with the control's description */
function fitting(path: string, schema: z.ZodType, body: Record<string, unknown>): unknown {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const wrong = parsed.error.issues.map(({ path: at }) => at.join('.')).filter((at) => at !== '');
  throw new TablevaultError(
    'USAGE',
    `POST ${path} cannot use this body${wrong.length === 0 ? '' : ` (${wrong.join(', ')})`}; it ${CONTROLS[`POST ${path}`]}`,
  );
}

export async function answerControl(
  instance: DemoInstance,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '/').split('?')[0]!;
  try {
    if (request.method === 'GET' && path.startsWith('/rows/')) {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      for (const row of instance.rows(decodeURIComponent(path.slice('/rows/'.length)))) {
        if (!response.write(`${toJson(row)}\n`)) await new Promise((resolve) => response.once('drain', resolve));
      }
      response.end();
      return;
    }
    const result = request.method === 'GET' ? get(instance, path) : await post(instance, path, request);
    if (result === NOT_FOUND)
      reply(response, 404, { error: `no such control: ${request.method} ${path}`, controls: CONTROLS });
    else reply(response, 200, result ?? {});
  } catch (thrown) {
    const error = asTablevaultError(thrown);
    reply(response, 400, { error: error.message, code: error.code });
  }
}

const NOT_FOUND = Symbol('not found');

function get(instance: DemoInstance, path: string): unknown {
  switch (path) {
    case '/':
      return { controls: CONTROLS };
    case '/witness':
      return instance.witness();
    case '/tables':
      return instance.tables;
    case '/credentials':
      return instance.credentials;
    case '/changes':
      return instance.changes();
    case '/switches':
      return { personality: DEFAULT_PERSONALITY, limits: DEFAULT_LIMITS, rights: DEFAULT_RIGHTS };
    default:
      return NOT_FOUND;
  }
}

async function post(instance: DemoInstance, path: string, request: IncomingMessage): Promise<unknown> {
  const handler = POSTS[path];
  if (handler === undefined) return NOT_FOUND;
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  return await handler(instance, anyObject.parse(text === '' ? {} : JSON.parse(text)));
}

function reply(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(toJson(value));
}

/** JSON with 64-bit integers as text. */
function toJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner));
}
