/**
 * The documented filter grammar and nothing more: conditions joined by `and`; `eq`, `ge`, `le`, `in (…)`, `like`; and one group form
 * `(F eq a or F eq b …)` over one field.
 */
import { badRequest } from './refusal.ts';

export type Literal =
  | { readonly kind: 'null' }
  /** In single quotes; `''` stands for one. */
  | { readonly kind: 'text'; readonly text: string }
  /** Anything without quotes: numbers, GUIDs, dates, true, false. */
  | { readonly kind: 'bare'; readonly text: string };

export interface Condition {
  /** `Document_Reference`, …, column. */
  readonly path: readonly string[];
  /** `any` is the group of `eq` joined by `or`. */
  readonly operator: 'eq' | 'ge' | 'le' | 'like' | 'in' | 'any';
  /** One literal, or for `in` and `any` one and more. */
  readonly literals: readonly Literal[];
}

const TOKEN = /\s*(?:('(?:[^']|'')*')|([(),])|([^\s'(),]+))/y;

/** Parses the text of `$filter`. Throws a refusal. */
export function parseFilter(text: string): readonly Condition[] {
  const tokens = tokenize(text);
  let at = 0;
  const peek = () => tokens[at];
  const take = () => {
    const token = tokens[at++];
    if (token === undefined) throw badRequest(`The filter ends early: ${text}`, 'InvalidFilter');
    return token;
  };
  const expect = (token: string) => {
    const found = take();
    if (found !== token)
      throw badRequest(`Expected '${token}' and found '${found}' in the filter: ${text}`, 'InvalidFilter');
  };
  const field = () => {
    const token = take();
    if (!/^[A-Za-z_][\w]*(\/[A-Za-z_][\w]*)*$/.test(token)) {
      throw badRequest(`'${token}' is not a field: ${text}`, 'InvalidFilter');
    }
    return token;
  };
  const list = () => {
    const literals: Literal[] = [];
    expect('(');
    do literals.push(literalOf(take()));
    while (peek() === ',' && take() === ',');
    expect(')');
    return literals;
  };
  const comparison = (): Condition => {
    const path = field().split('/');
    const operator = take();
    switch (operator) {
      case 'eq':
      case 'ge':
      case 'le':
      case 'like':
        return { path, operator, literals: [literalOf(take())] };
      case 'in':
        return { path, operator, literals: list() };
      default:
        throw badRequest(`The operator '${operator}' is not supported in a filter.`, 'UnsupportedOperator');
    }
  };
  const group = (): Condition => {
    expect('(');
    const first = comparison();
    const literals = [...first.literals];
    while (peek() === 'or') {
      take();
      const next = comparison();
      if (next.path.join('/') !== first.path.join('/') || next.operator !== 'eq') {
        throw badRequest("A group may only join 'eq' conditions of one field by 'or'.", 'InvalidFilter');
      }
      literals.push(...next.literals);
    }
    expect(')');
    if (first.operator !== 'eq') throw badRequest("A group may only hold 'eq' conditions.", 'InvalidFilter');
    return { path: first.path, operator: 'any', literals };
  };
  const conditions: Condition[] = [];
  for (;;) {
    conditions.push(peek() === '(' ? group() : comparison());
    if (peek() === undefined) return conditions;
    const joint = take();
    if (joint !== 'and')
      throw badRequest(`Conditions can only be joined by 'and', not by '${joint}'.`, 'UnsupportedOperator');
  }
}

function tokenize(text: string): readonly string[] {
  const tokens: string[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  let at = 0;
  while (at < end) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) throw badRequest(`The filter cannot be read from position ${at}: ${text}`, 'InvalidFilter');
    tokens.push(match[1] ?? match[2] ?? match[3]!);
    at = TOKEN.lastIndex;
  }
  if (tokens.length === 0) throw badRequest('The filter is empty.', 'InvalidFilter');
  return tokens;
}

function literalOf(token: string): Literal {
  if (token === 'null') return { kind: 'null' };
  if (token.startsWith("'")) return { kind: 'text', text: token.slice(1, -1).replaceAll("''", "'") };
  if (/^[(),]$/.test(token)) throw badRequest(`Expected a value and found '${token}' in the filter.`, 'InvalidFilter');
  return { kind: 'bare', text: token };
}
