/** The soak's table: each case with its verdict, and sums by group. */
import type { SoakResult, Verdict } from './run-case.ts';

const VERDICTS: readonly Verdict[] = ['exact', 'said', 'clean failure', 'WRONG', 'FAILED NEEDLESSLY'];

export function reportOf(results: readonly SoakResult[], skipped: number): string {
  const groups = [...new Set(results.map((result) => result.case.group))];
  const lines = [
    '| group | cases | exact | not exact, and said | clean failure | wrong | needless |',
    '|---|---|---|---|---|---|---|',
    ...[...groups, null].map((group) => {
      const own = results.filter((result) => group === null || result.case.group === group);
      const counts = VERDICTS.map((verdict) => own.filter((result) => result.verdict === verdict).length);
      return `| ${group ?? '**all**'} | ${own.length} | ${counts.join(' | ')} |`;
    }),
    '',
  ];
  if (skipped > 0) lines.push(`${skipped} cases were left out: the time was up.`, '');
  const notable = results.filter((result) => result.verdict !== 'exact');
  if (notable.length > 0) {
    lines.push('| case | verdict | ended by | why |', '|---|---|---|---|');
    for (const { case: one, verdict, detail } of notable) {
      const told = detail.replaceAll('\n', ' ').replaceAll('|', '/');
      lines.push(
        `| ${one.group}: ${one.name.replaceAll('|', '/')} | ${verdict} | ${told.slice(0, 300)} | ${one.impossible ?? one.mayFail ?? one.mayBeWrong ?? ''} |`,
      );
    }
  }
  return lines.join('\n');
}
