/**
 * A pipeline file's text as data, with the line of every value. No message here quotes the text: a secret written in clear
 * may stand on the very line that does not parse.
 */
import { isAlias, isMap, isNode, isScalar, LineCounter, type Node, parseAllDocuments, visit } from 'yaml';

export interface YamlFile {
  readonly data: unknown;
  /** The line (from 1) of the key at the end of `path`, else of the nearest thing above it that is written in the file. */
  lineOf(path: readonly PropertyKey[]): number;
}

export interface YamlProblem {
  readonly line: number;
  readonly message: string;
}

/** What the parser's codes mean to a person; the parser's own messages may quote the file. */
const MEANING: Readonly<Record<string, string>> = {
  BAD_INDENT: 'the indentation does not fit the lines around it',
  TAB_AS_INDENT: 'a tab is used as indentation; YAML takes spaces only',
  DUPLICATE_KEY: 'this key appears twice in the same block; put what stands below both into one',
  BLOCK_AS_IMPLICIT_KEY: 'a block stands where a key must be on one line; a value with ": " in it needs quotes',
  MULTILINE_IMPLICIT_KEY: 'a key runs over several lines; a ":" is missing',
  IMPOSSIBLE: 'a value with ": " or " #" in it needs quotes',
  MISSING_CHAR: 'a quote, a bracket or a ":" is missing',
  BAD_ALIAS: 'a value that begins with * needs quotes',
  TAG_RESOLVE_FAILED: 'a value that begins with ! needs quotes',
};

/** The file's data, or why it is not YAML. */
export function parseYaml(text: string): YamlFile | { readonly problems: readonly YamlProblem[] } {
  const lineCounter = new LineCounter();
  const documents = parseAllDocuments(text, { prettyErrors: false, lineCounter, version: '1.2', merge: false });
  const document = Array.isArray(documents) ? documents[0] : undefined;
  if (
    document === undefined ||
    document.contents === null ||
    (isScalar(document.contents) && document.contents.value === null)
  ) {
    return { problems: [{ line: 1, message: 'the file is empty' }] };
  }
  if (documents.length > 1) return { problems: [{ line: 1, message: 'the file holds more than one YAML document' }] };
  const lineAt = (offset: number | undefined) => (offset === undefined ? 1 : lineCounter.linePos(offset).line);

  const problems = [...document.errors, ...document.warnings].map((error) => ({
    line: lineAt(error.pos[0]),
    message: MEANING[error.code] ?? `not valid YAML (${error.code.toLowerCase().replaceAll('_', ' ')})`,
  }));
  visit(document, {
    Alias: (_key, node) => {
      problems.push({
        line: lineAt(node.range?.[0]),
        message: 'aliases are not used in a pipeline; a value that begins with * needs quotes',
      });
    },
  });
  if (problems.length > 0) return { problems };

  return {
    data: document.toJS(),
    lineOf: (path) => lineAt(offsetOf(document.contents as Node, path)),
  };
}

/** Offset of the deepest key of `path` that is written in the file. */
function offsetOf(root: Node, path: readonly PropertyKey[]): number | undefined {
  let node: unknown = root;
  let offset = isNode(root) ? root.range?.[0] : undefined;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step));
      if (pair === undefined) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isNode(node) && 'items' in node && Array.isArray(node.items)) {
      node = node.items[Number(step)];
      if (isNode(node) && !isAlias(node)) offset = node.range?.[0] ?? offset;
    } else break;
  }
  return offset;
}
