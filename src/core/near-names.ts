/** Names that somebody may have meant. */
import { distance } from 'fastest-levenshtein';

/** The name nearest to `wanted` of at least one, where case, `_` and `-` do not count: for short lists, such as the keys of a block. */
export function nearestName(wanted: string, names: readonly string[]): string {
  const bare = (text: string) => text.toLowerCase().replaceAll(/[_-]/g, '');
  const ranked = names.map((name) => ({ name, away: distance(bare(name), bare(wanted)) }));
  return ranked.reduce((best, next) => (next.away < best.away ? next : best)).name;
}

/** Names that someone who wrote `wanted` may have meant, the nearest first, three at most. A glob is compared by its text before the first wildcard. */
export function nearNames(wanted: string, names: Iterable<string>): readonly string[] {
  const wildcard = wanted.search(/[*?[{(!]/);
  const isGlob = wildcard >= 0;
  const stem = (isGlob ? wanted.slice(0, wildcard) : wanted).toLowerCase();
  if (stem === '') return [];
  const tolerance = Math.max(2, Math.floor(stem.length * 0.4));
  return [...names]
    .map((name) => {
      const folded = name.toLowerCase();
      // A part of a name is a likely wish too: "Orders" for "Crm_Sales_Orders".
      const away =
        !isGlob && stem.length >= 3 && folded.includes(stem)
          ? 1
          : distance(stem, isGlob ? folded.slice(0, stem.length) : folded);
      return { name, away };
    })
    .filter(({ away }) => away <= tolerance)
    .sort((a, b) => a.away - b.away || a.name.length - b.name.length || (a.name < b.name ? -1 : 1))
    .slice(0, 3)
    .map(({ name }) => name);
}
