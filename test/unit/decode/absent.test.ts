import { expect, test } from 'vitest';
import { column, decodeBody } from '../../support/decode.ts';

const COLUMNS = [column('Id', { kind: 'int32' }, false), column('Notes', { kind: 'text' })];
const body = '{"value":[{"Id":1,"Notes":"x"},{"Id":2},{"Id":3}]}';

test('an absent property is null where the server is known to leave out nulls and the column may be null', () => {
  const { rows } = decodeBody(COLUMNS, body, { absentIsNull: true });
  expect(rows.map((row) => row['Notes'])).toEqual(['x', null, null]);
});

test('an absent property of a column that is never null is an error also there', () => {
  const lacks = '{"value":[{"Id":1,"Notes":"x"},{"Notes":"y"}]}';
  expect(() => decodeBody(COLUMNS, lacks, { absentIsNull: true })).toThrow(/lacks the property Id/);
});

test('an absent property is an error where nothing is known', () => {
  expect(() => decodeBody(COLUMNS, body)).toThrow(/lacks the property Notes/);
});

test.each([
  '{"value":[{"Id":1,"Notes":null},{"Id":2}]}',
  '{"value":[{"Id":1},{"Id":2,"Notes":null}]}',
  '{"value":[{"Id":1,"Notes":"x"},{"Id":2},{"Id":3,"Notes":"y"},{"Id":4,"Notes":null}]}',
])('a property that is null in some rows and left out of others may be hidden, and is refused', (mixed) => {
  expect(() => decodeBody(COLUMNS, mixed, { absentIsNull: true })).toThrow(
    /null in some rows of T and left out of others/,
  );
});
