/** `docs/performance.md` from the figures of one run. Pure; the prose is the method, the numbers are all computed. */
import type {
  BusyFigures,
  GrowthResult,
  HttpResult,
  InstanceBoundResult,
  ParquetResult,
  Profile,
  Results,
  StartResult,
} from './results.ts';
import type { Spread } from './stats.ts';
import { type Target, targetsOf, verdictOf } from './targets.ts';

const PROFILES: readonly Profile[] = ['portable', 'native'];
const MB = 2 ** 20;

export function renderReport(results: Results, source: string): string {
  const { machine, startedAt, durationSeconds } = results;
  return `# Performance

Written by \`make bench\` from [\`${source}\`](../${source}); edits by hand are lost. Measured ${startedAt.slice(0, 10)} in ${whole(durationSeconds / 60)} minutes
on ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.platform}, Node ${machine.node}, DuckDB ${machine.duckdb}. \`make bench-smoke\` runs the same programs at small
sizes in less than a minute, to show that they work.

## Figures and targets

${targetTable(targetsOf(results))}

Where a target has several figures (two type profiles, several paces), the worst counts. Ratios are medians over rounds; the tables below
have least and greatest.

## Method

Contestants take turns within each round, in one run on one machine, so that what the machine does falls on all; a ratio is taken round by round.
The output of every contestant is checked (rows, and sums over columns of four types) before its time counts. The data are
1,000-row pages of the 53 columns of \`Crm_Sales_Order_Lines\`, made from a seed: half of the values null, GUIDs, decimals, instants, Cyrillic text;
about ${whole(results.decode.bytes / results.decode.rows)} bytes a row. Programs: [\`bench/\`](../bench).

${decodeSection(results)}

${parquetSection(results.parquet)}

${httpSection(results.http)}

${boundSection(results.instanceBound)}

${results.start === undefined ? '' : `${startSection(results.start)}\n\n`}${growthSection(results.growth)}
`;
}

function targetTable(targets: readonly Target[]): string {
  return table(
    ['figure', 'at least', 'aim', 'measured', ''],
    targets.map((target) => {
      const sign = target.better === 'more' ? '' : '≤ ';
      const shown = (value: number) => `${figure(value)}${target.unit === '' ? '' : ` ${target.unit}`}`;
      const verdict = verdictOf(target);
      return [
        target.figure,
        sign + shown(target.least),
        sign + shown(target.aim),
        `**${shown(target.got)}**`,
        verdict === 'missed' ? '**missed**' : verdict,
      ];
    }),
  );
}

function decodeSection({ decode }: Results): string {
  const { rows, bytes, rounds, chunkBytes } = decode;
  return `## Decode alone

${rows.toLocaleString('en')} rows, ${whole(bytes / 1e6)} MB, chunks of ${chunkBytes / 1024} KiB, one thread, ${rounds} rounds. The decoder does here what it does in a snapshot: envelope, rows into
typed columns, order of keys, check of UTF-8. \`JSON.parse\` makes objects, of which nothing is taken yet. It is given each page in one piece, and the step from bytes
to a string (\`${decode.bytesToString}\`, the faster way here) is part of its time, for it takes no bytes; the last line leaves that step out, for comparison.

${table(
  ['', 'rows/s: median', 'least', 'greatest', 'decoder is faster'],
  [
    ['tablevault', ...speeds(decode.decoderRowsPerSecond), ''],
    ['`JSON.parse` of the bytes', ...speeds(decode.jsonParseRowsPerSecond), times(decode.ratio)],
    [
      '`JSON.parse` of strings made beforehand',
      ...speeds(decode.jsonParseOfTextRowsPerSecond),
      times(decode.ratioToParseOfText),
    ],
  ],
)}`;
}

function parquetSection(parquet: ParquetResult): string {
  const { rows, bytes, rounds, profiles, duckdbSettings, plain } = parquet;
  const lines = PROFILES.map((profile) => {
    const { tablevault, duckdb, size } = profiles[profile];
    const megabytes = (value: number) => figure(value / 1e6);
    const opponents = [duckdb.pages, duckdb.lines, duckdb.text].map((each) => [
      `DuckDB, ${each.setting}`,
      ...speeds(each.rowsPerSecond),
      megabytes(each.parquetBytes),
      times(each.ratio),
    ]);
    return `Types \`${profile}\`:

${table(
  ['', 'rows/s: median', 'least', 'greatest', 'MB of Parquet', 'tablevault is faster'],
  [
    ['tablevault', ...speeds(tablevault.rowsPerSecond), megabytes(tablevault.parquetBytes), ''],
    ...opponents,
    ['the faster plain pipeline', '', '', '', '', times(profiles[profile].ratioToPlain)],
  ],
)}

Size: ${megabytes(size.tablevaultBytes)} MB; DuckDB's own COPY of the same rows in the same order and types, by one thread: ${megabytes(size.duckdbBytes)} MB; ratio ${figure(size.ratio)}.`;
  });
  return `## Bytes to Parquet

${rows.toLocaleString('en')} rows, ${whole(bytes / 1e6)} MB of pages, zstd, two cores, ${rounds} rounds after one to warm up. tablevault has the bytes in memory and copies them to two writer threads, as it
does with those from a socket; its files are written by DuckDB's Parquet writer, fed from the decoded columns, and hashed. DuckDB reads the same pages from
files that lie in the file cache, types given, not guessed. Each of its settings was tried once, and the best of each kind goes into the rounds:

${table(
  ['setting', 'rows/s'],
  duckdbSettings.map((trial) => [trial.setting, whole(trial.rowsPerSecond)]),
)}

The opponent of the target is \`read_json\` on the pages as an instance sends them. One row a line is a form in which no instance sends rows: cutting
the pages up was done for DuckDB before the clock started. \`from_json_strict\` over \`read_text\` is not \`read_json\`, but the fastest way that we found to
have DuckDB read such pages, so it is shown too.

${lines.join('\n\n')}

The plain pipeline (\`JSON.parse\`, parquetjs-lite: no DECIMAL, no UUID, no zstd) is measured in the same rounds on a sample, and compared by rows per second:

${table(
  ['compression', 'rows of the sample', 'rows/s: median', 'least', 'greatest', 'bytes of Parquet a row'],
  plain.map((each) => [
    each.compression.toLowerCase(),
    each.rows.toLocaleString('en'),
    ...speeds(each.rowsPerSecond),
    whole(each.parquetBytesPerRow),
  ]),
)}`;
}

function httpSection({ rows, bytes, profiles }: HttpResult): string {
  return `## Whole snapshots over HTTP

\`tablevault snapshot\` in its own process, default limits: start, discovery, probes, plan, ${rows.toLocaleString('en')} rows (${whole(bytes / 1e6)} MB of JSON without compression), proof, parts stored, commit. The server
answers with bytes made beforehand, into which it writes keys, and shares the machine's cores.

${table(
  ['types', 'rows/s: median', 'least', 'greatest', 'MB/s of JSON', 'processor time of the server / ours'],
  PROFILES.map((profile) => {
    const { rowsPerSecond, megabytesPerSecond, serverShare } = profiles[profile];
    return [profile, ...speeds(rowsPerSecond), whole(megabytesPerSecond.median), `${whole(serverShare * 100)} %`];
  }),
)}`;
}

function boundSection(bound: InstanceBoundResult): string {
  const { slots, latencyMs, bytesPerSecondOfSlot, first, next, refusals } = bound;
  const line = (name: string, each: BusyFigures) => [
    name,
    whole(each.rows),
    whole(each.requests),
    `${figure(each.windowMs / 1000)} s`,
    `${figure(each.busyShare * 100)} %`,
    `${figure(each.rowsBusyShare * 100)} %`,
  ];
  return `## When the instance is the limit

The demo instance with ${slots} slots, ${latencyMs} ms to the first byte, ${whole(bytesPerSecondOfSlot / 1e6)} MB/s a slot, one table, default limits. The share of time in which its slots are held by requests, by its own word,
from the first request of a table (probes and the read of keys included) to the end of the last; and from the first request for rows on. The next snapshot
of the same vault cuts the table where the parts of the one before end, and reads no keys.

${table(
  ['snapshot', 'rows', 'requests', 'time', 'slots busy', 'from the first rows on'],
  [line('first', first), line('next', next)],
)}

Snapshots of all tables of the demo instance (${slots} slots, 5 queue places, ${latencyMs} ms), while other clients hold both slots and 4 queue places half of the time:

${table(
  ['others come and go every', 'snapshots', 'seconds', 'requests', '429 answers', 'share'],
  refusals.map((each) => [
    `${figure(each.halfPeriodMs / 1000)} s`,
    whole(each.snapshots),
    whole(each.seconds),
    whole(each.requests),
    whole(each.refused),
    `${figure(each.share * 100)} %`,
  ]),
)}`;
}

function growthSection({ base, sizes, ratio, ratioOf, singleResponse }: GrowthResult): string {
  const [greatest, compared] = ratioOf;
  return `## Growth

Snapshots of one table by processes of their own, types \`portable\`, default limits. Memory is the greatest resident set of the whole process with its threads. Time per row is
without start-up, which is the time of a snapshot of ${base.rows.toLocaleString('en')} rows (${whole(base.durationMs)} ms); reading the keys to cut the table counts.

${table(
  ['rows', 'MB of JSON', 'time', 'µs a row', 'rows/s', 'requests', 'peak memory'],
  sizes.map((step) => [
    step.rows.toLocaleString('en'),
    whole(step.bytesReceived / 1e6),
    `${figure(step.durationMs / 1000)} s`,
    figure(step.microsecondsPerRow),
    whole(1e6 / step.microsecondsPerRow),
    whole(step.requests),
    `${whole(step.peakRssBytes / MB)} MB`,
  ]),
)}

Time per row of ${greatest.toLocaleString('en')} rows is ${figure(ratio)} × that of ${compared.toLocaleString('en')}.

One response of ${figure(singleResponse.bytesReceived / 1e9)} GB (${singleResponse.rows.toLocaleString('en')} rows, an instance that tells no row counts): ${figure(singleResponse.durationMs / 1000)} s, peak memory ${whole(singleResponse.peakRssBytes / MB)} MB.`;
}

function startSection({ rounds, node, version, help, firstRequest }: StartResult): string {
  const line = (name: string, each: Spread) => [name, ...speeds(each)];
  return `## Start

Milliseconds from the start of a process, ${rounds} rounds, every line once in each. The last line ends when the first request of a snapshot reaches a server on the same machine.

${table(
  ['', 'median', 'least', 'greatest'],
  [
    line('Node that does nothing', node),
    line('`tablevault --version`', version),
    line('`tablevault --help`', help),
    line('first request of `tablevault snapshot`', firstRequest),
  ],
)}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

function speeds({ median, min, max }: Spread): readonly [string, string, string] {
  return [whole(median), whole(min), whole(max)];
}

function times({ median, min, max }: Spread): string {
  return `${figure(median)} × (${figure(min)}–${figure(max)})`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

/** Two digits after the point below ten, one below a hundred, none above. */
function figure(value: number): string {
  const digits = Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0;
  return value.toLocaleString('en', { maximumFractionDigits: digits });
}
