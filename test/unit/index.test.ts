/** The library's surface: its names, the types one can name, and what an import of it loads. */
import { readFileSync } from 'node:fs';
import { dirname, posix, resolve } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const INDEX = resolve('src/index.ts');

describe('the public surface', () => {
  it('is small and does not grow by accident', async () => {
    const surface = await import('../../src/index.ts');
    expect(Object.keys(surface).sort()).toEqual([
      'EXIT',
      'Secret',
      'TablevaultError',
      'openVault',
      'readPipeline',
      'runSnapshot',
      'systemClock',
    ]);
  });

  it('is explained name by name in docs/library.md', async () => {
    const page = readFileSync('docs/library.md', 'utf8');
    const explained = [...page.matchAll(/^\| `(\w+)(?:\([^`]*\))?` \| .+ \|$/gm)].map(([, name]) => name);
    const methods = ['listSnapshots', 'requireFresh', 'readManifest', 'listPaths'];
    const options = ['tables', 'allowPartial', 'fresh'];
    const surface = Object.keys(await import('../../src/index.ts'));
    expect(explained.toSorted()).toEqual([...surface, ...methods, ...options].toSorted());
  });

  it('exports every type that a signature or a member of it names, so that a program can write it down', () => {
    expect(unnameable(INDEX)).toEqual([]);
  });

  it('loads neither DuckDB, nor Arrow, nor the AWS SDK, nor HTTP, before a snapshot is taken', () => {
    const heavy = ['@duckdb', 'apache-arrow', '@aws-sdk', 'undici', 'openid-client', 'node:http'];
    const loaded = packagesLoadedBy(INDEX);
    expect(loaded).toContain('zod');
    expect(loaded.filter((name) => heavy.some((each) => name === each || name.startsWith(`${each}/`)))).toEqual([]);
  });
});

/** Names of types of this repository that the exports of a module lead to and that the module does not export. */
function unnameable(file: string): readonly string[] {
  const options = { noLib: true, types: [], target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.NodeNext };
  const host = ts.createCompilerHost(options);
  // What others declare is of no interest, and takes ten seconds to read. The compiler's own paths have slashes everywhere.
  host.resolveModuleNameLiterals = (literals, from) =>
    literals.map(({ text }) => ({
      resolvedModule: text.startsWith('.')
        ? {
            resolvedFileName: posix.join(posix.dirname(from), text),
            extension: ts.Extension.Ts,
            resolvedUsingTsExtension: true,
          }
        : undefined,
    }));
  const program = ts.createProgram([file], options, host);
  const checker = program.getTypeChecker();
  const target = (symbol: ts.Symbol) =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const module = checker.getSymbolAtLocation(program.getSourceFile(file)!)!;
  const exported = new Set(checker.getExportsOfModule(module).map(target));
  const missing = new Set<string>();
  const visit = (node: ts.Node): void => {
    // What a function does inside, and what is private, nobody outside can see; the schemas that types are made of have no names outside.
    if (ts.isBlock(node) || ts.isTypeQueryNode(node) || isPrivate(node)) return;
    if (ts.isTypeReferenceNode(node) || ts.isExpressionWithTypeArguments(node)) {
      const found = checker.getSymbolAtLocation(ts.isTypeReferenceNode(node) ? node.typeName : node.expression);
      const symbol = found === undefined ? undefined : target(found);
      if (symbol !== undefined && isOurs(symbol) && !exported.has(symbol)) missing.add(symbol.name);
    }
    ts.forEachChild(node, visit);
  };
  for (const symbol of exported) for (const declaration of symbol.declarations ?? []) visit(declaration);
  return [...missing];
}

function isPrivate(node: ts.Node): boolean {
  const modifiers = ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []) : [];
  const isHidden = ts.isPropertyDeclaration(node) && ts.isPrivateIdentifier(node.name);
  return isHidden || modifiers.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword);
}

/** Is it a type of this repository that has a name of its own? Type parameters have none, nor what an alias with parameters computes. */
function isOurs(symbol: ts.Symbol): boolean {
  return (symbol.declarations ?? []).some(
    (each) =>
      each.getSourceFile().fileName.includes('/src/') &&
      !ts.isTypeParameterDeclaration(each) &&
      !(ts.isTypeAliasDeclaration(each) && each.typeParameters !== undefined),
  );
}

/** Packages that an import of a module loads, by way of the modules of this repository; `import()` loads nothing yet. */
function packagesLoadedBy(file: string, seen = new Set<string>()): readonly string[] {
  if (seen.has(file)) return [];
  seen.add(file);
  const imports = readFileSync(file, 'utf8').matchAll(/^(?:import|export) (?!type )(?:[^;']* from )?'([^']+)';$/gm);
  return [...imports].flatMap(([, name]) =>
    name!.startsWith('.') ? packagesLoadedBy(resolve(dirname(file), name!), seen) : [name!],
  );
}
