import { expect, it } from 'vitest';
import { DEFAULT_PERSONALITY } from '../../../src/demo/personality.ts';
import { allCases } from '../../soak/cases.ts';
import { evidenceCases } from '../../soak/evidence-cases.ts';

it('every switch of the demo instance is turned by a case of the soak', () => {
  const turned = new Set(
    [...allCases(), ...evidenceCases()].flatMap((each) => Object.keys(each.demo.personality ?? {})),
  );
  expect(Object.keys(DEFAULT_PERSONALITY).filter((name) => !turned.has(name))).toEqual([]);
});
