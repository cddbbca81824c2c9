import { describe, expect, it } from 'vitest';
import { renderReport } from '../../../bench/lib/report.ts';
import { nonsenseIn, targetsOf, verdictOf } from '../../../bench/lib/targets.ts';
import { RESULTS } from './support.ts';

describe('targets', () => {
  it('are reached, reached with their aim, or missed', () => {
    const target = { figure: 'x', unit: '×', better: 'more', least: 1.5, aim: 2.5 } as const;
    expect(verdictOf({ ...target, got: 2.5 })).toBe('aim reached');
    expect(verdictOf({ ...target, got: 2.49 })).toBe('reached');
    expect(verdictOf({ ...target, got: 1.49 })).toBe('missed');
    expect(verdictOf({ ...target, better: 'less', least: 512, aim: 300, got: 513 })).toBe('missed');
    expect(verdictOf({ ...target, better: 'less', least: 512, aim: 300, got: 300 })).toBe('aim reached');
  });

  it('are missed by a figure that is not a number', () => {
    const target = { figure: 'x', unit: 'MB', better: 'less', least: 512, aim: 300, got: Number.NaN } as const;
    expect(verdictOf(target)).toBe('missed');
  });

  it('take the worst of several figures', () => {
    const busy = targetsOf(RESULTS).find(({ figure }) => figure.startsWith('slots busy'));
    expect(busy?.got).toBeCloseTo(97);
    const native = { ...RESULTS.parquet.profiles.native, ratioToPlain: { min: 20, median: 24, max: 30 } };
    const worse = { ...RESULTS, parquet: { ...RESULTS.parquet, profiles: { ...RESULTS.parquet.profiles, native } } };
    const plain = targetsOf(worse).find(({ figure }) => figure.includes('parquetjs-lite'));
    expect(plain && verdictOf(plain)).toBe('missed');
  });

  it('judge growth by the greatest size', () => {
    const five = targetsOf(RESULTS).find(({ figure }) => figure.includes('5 million rows'));
    expect(five?.got).toBe(290);
  });
});

describe('nonsense', () => {
  it('is not found in good results', () => {
    expect(nonsenseIn(RESULTS)).toEqual([]);
  });

  it('is a decoder that never beats JSON.parse, or slots that are more than busy', () => {
    const decode = { ...RESULTS.decode, ratio: { min: 0.5, median: 0.8, max: 0.99 } };
    const first = { ...RESULTS.instanceBound.first, busyShare: 1.2 };
    const found = nonsenseIn({ ...RESULTS, decode, instanceBound: { ...RESULTS.instanceBound, first } });
    expect(found).toHaveLength(2);
  });
});

describe('the page', () => {
  const page = renderReport(RESULTS, 'bench/results/2026-11-21-some-cpu-2-cores.json');

  it('says where and with what it was measured, and links the figures', () => {
    expect(page).toContain('on Some CPU, 2 cores, 8 GB, linux x64, Node 20.20.2, DuckDB v1.5.5');
    expect(page).toContain('(../bench/results/2026-11-21-some-cpu-2-cores.json)');
  });

  it('does without figures of the start, which older results do not have', () => {
    const { start: _, ...older } = RESULTS;
    expect(renderReport(older, 'x')).not.toContain('## Start');
    expect(page).toContain('| `tablevault --help` | 140 | 140 | 140 |');
  });

  it('holds every target with its figure and verdict', () => {
    for (const { figure } of targetsOf(RESULTS)) expect(page).toContain(`| ${figure} |`);
    expect(page).toContain('| 95 % | 98 % | **97 %** | reached |');
    expect(page).toContain('| ≤ 512 MB | ≤ 300 MB | **290 MB** | aim reached |');
  });

  it('says plainly what was missed', () => {
    const missed = { ...RESULTS, growth: { ...RESULTS.growth, ratio: 1.2 } };
    expect(renderReport(missed, 'x.json')).toContain('| **1.2 ×** | **missed** |');
    expect(page).not.toContain('**missed**');
  });

  it('shows all three ways of DuckDB in both profiles, with the spread of each ratio', () => {
    for (const setting of ['pages setting', 'lines setting', 'text setting'])
      expect(page.split(`DuckDB, ${setting}`)).toHaveLength(3);
    expect(page).toContain('1.67 × (1.67–1.67)');
  });

  it('has tables whose rows are as wide as their heads', () => {
    const blocks = page.split('\n\n').filter((block) => block.startsWith('|'));
    expect(blocks.length).toBeGreaterThanOrEqual(9);
    for (const block of blocks) {
      const widths = new Set(block.split('\n').map((line) => line.split(' | ').length));
      expect(widths.size, block).toBe(1);
    }
  });

  it('has no figure that could not be computed', () => {
    expect(page).not.toMatch(/NaN|undefined|Infinity|\[object/);
  });
});
