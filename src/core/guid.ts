/**
 * GUIDs as lower-case text, and the order in which SQL Server compares `uniqueidentifier`.
 *
 * SQL Server (and .NET's SqlGuid) compares the last group first: bytes 10–15 of the value as stored, then 8–9, 6–7, 4–5, 0–3.
 * Source: Microsoft, "Comparing GUID and uniqueidentifier values".
 */

declare const guidBrand: unique symbol;
/** 36 characters, lower case, `8-4-4-4-12`. */
export type Guid = string & { readonly [guidBrand]: true };

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The GUID in canonical text, or undefined when `text` is not one. */
export function parseGuid(text: string): Guid | undefined {
  return GUID.test(text) ? (text.toLowerCase() as Guid) : undefined;
}

/**
 * 32 hexadecimal digits whose plain text order is SQL Server's order of the GUIDs.
 *
 * As text, the groups are `aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee`. SQL Server stores the first three groups with their bytes turned
 * (little endian) and compares stored bytes 10–15, 8–9, 6–7, 4–5, 0–3, so of `bbbb` and `cccc` the low byte counts first, and of
 * `aaaaaaaa` the bytes count from the last to the first.
 */
export function sqlOrderKey(guid: string): string {
  return (
    guid.slice(24, 36) +
    guid.slice(19, 23) +
    guid.slice(16, 18) +
    guid.slice(14, 16) +
    guid.slice(11, 13) +
    guid.slice(9, 11) +
    guid.slice(6, 8) +
    guid.slice(4, 6) +
    guid.slice(2, 4) +
    guid.slice(0, 2)
  );
}

/** The GUID whose `sqlOrderKey` is `key`. */
export function guidOfSqlOrderKey(key: string): Guid {
  const byte = (at: number) => key.slice(at, at + 2);
  const groups = [
    byte(30) + byte(28) + byte(26) + byte(24),
    byte(22) + byte(20),
    byte(18) + byte(16),
    key.slice(12, 16),
    key.slice(0, 12),
  ];
  return groups.join('-') as Guid;
}

/** Negative, zero or positive: `a` before, equal to, after `b` as SQL Server's `ORDER BY` on a `uniqueidentifier` has it. */
export function compareGuidsAsSqlServer(a: string, b: string): number {
  const left = sqlOrderKey(a);
  const right = sqlOrderKey(b);
  return left < right ? -1 : left > right ? 1 : 0;
}
