/** What must come out of the pages, whoever reads them: nobody wins by losing rows or values. */
import type { DuckDBConnection } from '@duckdb/node-api';

/** A few figures that change when a row, a null, a digit or a character is lost. */
export interface Checksums {
  readonly rows: number;
  /** Sum of `Line_Amount` in hundredths. */
  readonly amountCents: number;
  readonly lineNumbers: number;
  readonly productCodes: number;
  /** Characters of `Product_Description`. */
  readonly descriptionChars: number;
}

interface CheckedRow {
  readonly Line_Amount: number;
  readonly Line_No: number;
  readonly Product_Code_Id: string | null;
  readonly Product_Description: string;
}

/** By `JSON.parse`, the reference. */
export function checksumsOf(pages: readonly Uint8Array[]): Checksums {
  const sums = { rows: 0, amountCents: 0, lineNumbers: 0, productCodes: 0, descriptionChars: 0 };
  for (const page of pages) {
    const { value } = JSON.parse(Buffer.from(page.buffer, page.byteOffset, page.length).toString()) as {
      value: CheckedRow[];
    };
    for (const row of value) {
      sums.rows++;
      sums.amountCents += Math.round(row.Line_Amount * 100);
      sums.lineNumbers += row.Line_No;
      if (row.Product_Code_Id !== null) sums.productCodes++;
      sums.descriptionChars += row.Product_Description.length;
    }
  }
  return sums;
}

/** Of Parquet files, by DuckDB. Amounts are rounded, for a contestant may only know floats. */
export async function checksumsOfParquet(connection: DuckDBConnection, files: readonly string[]): Promise<Checksums> {
  const list = files.map((file) => `'${file.replaceAll("'", "''")}'`).join(', ');
  const reader = await connection.runAndReadAll(
    `SELECT count(*)::DOUBLE AS "rows", sum(round("Line_Amount"::DOUBLE * 100))::DOUBLE AS "amountCents",
      sum("Line_No")::DOUBLE AS "lineNumbers", count("Product_Code_Id")::DOUBLE AS "productCodes",
      sum(length("Product_Description"))::DOUBLE AS "descriptionChars" FROM read_parquet([${list}])`,
  );
  return reader.getRowObjectsJson()[0] as unknown as Checksums;
}
