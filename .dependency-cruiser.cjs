/** Layers of docs/architecture.md: imports point down only. */
const layers = [
  [
    'cli',
    'run',
    'read',
    'pipeline',
    'instance',
    'vault',
    'storage',
    'parquet',
    'duckdb',
    'odata',
    'scan',
    'decode',
    'core',
    'demo',
  ],
  ['run', 'read', 'pipeline', 'instance', 'vault', 'storage', 'parquet', 'duckdb', 'odata', 'scan', 'decode', 'core'],
  ['read', 'instance', 'parquet', 'odata', 'scan', 'decode', 'core'],
  ['pipeline', 'core'],
  ['instance', 'odata', 'scan', 'decode', 'core'],
  ['vault', 'storage', 'core'],
  ['storage', 'core'],
  ['parquet', 'duckdb', 'decode', 'core'],
  ['duckdb', 'core'],
  ['odata', 'core'],
  ['scan', 'odata', 'core'],
  ['decode', 'core'],
  ['core'],
  ['demo', 'core'],
];
// Without a compiler it can call (TypeScript 7 is not one), dependency-cruiser sees no module and finds nothing wrong.
if (typeof require('typescript').transpileModule !== 'function')
  throw new Error('the layer check needs the API of TypeScript 6');

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    ...layers.map(([room, ...below]) => ({
      name: `layer-${room}`,
      comment: `${room}/ may import ${below.join(', ') || 'nothing of src'}`,
      severity: 'error',
      from: { path: `^src/${room}/` },
      to: { path: '^src/', pathNot: `^src/(${[room, ...below].join('|')})/` },
    })),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node'],
    },
  },
};
