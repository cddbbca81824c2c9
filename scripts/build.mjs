/**
 * Builds `dist/`: the command line with the pieces that it loads when it needs them, the writer thread, the library, and the library's
 * types (by tsc, see package.json). docs/decisions/0019-esbuild-bundles.md says why, and what is measured.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const OPTIONS = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  outdir: 'dist',
  chunkNames: 'chunks/[name]-[hash]',
  metafile: true,
  legalComments: 'none',
  // Small, yet a stack still names functions and lines.
  minifyWhitespace: true,
  lineLimit: 160,
  logLevel: 'warning',
};

/** Large or native, and loaded only by commands that use them: these stay what npm installs. */
const EXTERNAL = ['@duckdb/*', '@aws-sdk/*', 'apache-arrow', 'pg', 'pg-copy-streams', 'pino'];

/** Some packages are CommonJS and ask for Node's own modules at run time. */
const REQUIRE = "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);";

rmSync('dist', { recursive: true, force: true });
const bundles = await Promise.all([
  // Reading hundreds of small files is most of what a start costs: the command line brings its packages along.
  build({
    ...OPTIONS,
    entryPoints: { cli: 'src/cli/main.ts', 'demo-tour': 'src/cli/demo-tour.ts' },
    splitting: true,
    external: EXTERNAL,
    banner: { js: REQUIRE },
  }),
  build({ ...OPTIONS, entryPoints: { 'writer-thread': 'src/parquet/writer-thread.ts' }, packages: 'external' }),
  // Programs that use the library share packages with it.
  build({ ...OPTIONS, entryPoints: { index: 'src/index.ts' }, splitting: true, packages: 'external' }),
]);
writeFileSync(
  'dist/THIRD-PARTY-NOTICES.txt',
  noticesOf(bundles.flatMap(({ metafile }) => Object.keys(metafile.inputs))),
);

/** The licences of all packages that a bundle holds code of. */
function noticesOf(inputs) {
  const folders = new Set(inputs.flatMap((input) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1] ?? []));
  const notices = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder).find((each) => /^(licen[cs]e|copying)(\.|$)/i.test(each));
    if (file === undefined && !existsSync(join(folder, 'package.json'))) throw new Error(`${folder} has no licence`);
    const text = file === undefined ? `License: ${license}` : readFileSync(join(folder, file), 'utf8').trim();
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
  return `The command line of tablevault holds code of these packages.\n\n${notices.join(`\n${'-'.repeat(80)}\n\n`)}`;
}
