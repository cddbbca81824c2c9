import { describe, expect, it } from 'vitest';
import { nearestName, nearNames } from '../../../src/core/near-names.ts';

const TABLES = ['Gen_Documents', 'Gen_Document_Types', 'Crm_Sales_Orders', 'Crm_Sales_Order_Lines', 'Sec_Users'];

describe('near names', () => {
  it.each([
    ['Gen_Documnets', 'Gen_Documents'],
    ['gen_documents', 'Gen_Documents'],
    ['Orders', 'Crm_Sales_Orders'],
    ['Crm_Sales_Ordres', 'Crm_Sales_Orders'],
    ['Gen_Documnet*', 'Gen_Documents'],
  ])('of %s begin with %s', (wanted, first) => expect(nearNames(wanted, TABLES)[0]).toBe(first));

  it('are three at most, and none where nothing is near', () => {
    expect(nearNames('Gen_', [...TABLES, 'Gen_A', 'Gen_B', 'Gen_C'])).toHaveLength(3);
    expect(nearNames('Completely_Different_Thing', TABLES)).toEqual([]);
    expect(nearNames('*', TABLES)).toEqual([]);
  });
});

describe('the nearest name', () => {
  it('is found whatever the case, and whether words are joined by _ or -', () => {
    expect(nearestName('page_rows', ['concurrency', 'pageRows', 'memoryMb'])).toBe('pageRows');
    expect(nearestName('Page-Rows', ['concurrency', 'pageRows', 'memoryMb'])).toBe('pageRows');
    expect(nearestName('xyz', ['deadline'])).toBe('deadline');
  });
});
