import type { Profile, ProfileResult, Results, SnapshotFigures } from '../../../bench/lib/results.ts';

const same = (value: number) => ({ min: value, median: value, max: value });

const snapshot = (rows: number, peakMb: number): SnapshotFigures => ({
  rows,
  requests: 12,
  durationMs: 100 + rows / 100,
  bytesReceived: rows * 1850,
  peakRssBytes: peakMb * 2 ** 20,
  cpuSeconds: 1,
});

const profile: ProfileResult = {
  tablevault: { rowsPerSecond: same(100_000), parquetBytes: 20_000_000 },
  duckdb: {
    pages: { rowsPerSecond: same(40_000), parquetBytes: 20_000_000, setting: 'pages setting', ratio: same(2.5) },
    lines: { rowsPerSecond: same(60_000), parquetBytes: 20_000_000, setting: 'lines setting', ratio: same(1.67) },
    text: { rowsPerSecond: same(80_000), parquetBytes: 20_000_000, setting: 'text setting', ratio: same(1.25) },
  },
  ratioToPlain: same(41),
  size: { tablevaultBytes: 20_000_000, duckdbBytes: 20_000_000, ratio: 1 },
};

const busy = {
  ...snapshot(300_000, 280),
  windowMs: 15_000,
  busyShare: 0.97,
  rowsWindowMs: 14_000,
  rowsBusyShare: 0.99,
};

/** Results in which every aim is reached but that of the busy slots. */
export const RESULTS: Results = {
  startedAt: '2026-11-21T22:00:00.000Z',
  durationSeconds: 420,
  smoke: false,
  machine: { cpu: 'Some CPU', cores: 2, memoryGb: 8, platform: 'linux x64', node: '20.20.2', duckdb: 'v1.5.5' },
  decode: {
    rows: 100_000,
    bytes: 185_000_000,
    rounds: 7,
    chunkBytes: 65_536,
    bytesToString: 'Buffer.toString',
    decoderRowsPerSecond: same(150_000),
    jsonParseRowsPerSecond: same(60_000),
    jsonParseOfTextRowsPerSecond: same(100_000),
    ratio: same(2.5),
    ratioToParseOfText: same(1.5),
  },
  parquet: {
    rows: 100_000,
    bytes: 185_000_000,
    rounds: 5,
    profiles: { portable: profile, native: profile },
    duckdbSettings: [{ setting: 'pages setting', input: 'pages', rowsPerSecond: 40_000 }],
    plain: [{ compression: 'SNAPPY', rows: 5000, rowsPerSecond: same(2500), parquetBytesPerRow: 460 }],
  },
  http: {
    rows: 200_000,
    bytes: 370_000_000,
    profiles: Object.fromEntries(
      (['portable', 'native'] as const).map((name) => [
        name,
        { rowsPerSecond: same(80_000), megabytesPerSecond: same(148), serverShare: 0.05, snapshots: [] },
      ]),
    ) as unknown as Record<Profile, Results['http']['profiles'][Profile]>,
  },
  instanceBound: {
    slots: 2,
    latencyMs: 40,
    bytesPerSecondOfSlot: 20e6,
    first: busy,
    next: { ...busy, busyShare: 0.985 },
    refusals: [{ halfPeriodMs: 2000, snapshots: 2, requests: 400, refused: 1, share: 0.0025, seconds: 30 }],
  },
  growth: {
    base: snapshot(1000, 120),
    sizes: [
      { ...snapshot(500_000, 250), taken: 3, microsecondsPerRow: 10.5 },
      { ...snapshot(5_000_000, 290), taken: 1, microsecondsPerRow: 10.4 },
    ],
    ratio: 0.99,
    ratioOf: [5_000_000, 500_000],
    singleResponse: snapshot(1_100_000, 260),
  },
  start: { rounds: 15, node: same(40), version: same(110), help: same(140), firstRequest: same(240) },
};
