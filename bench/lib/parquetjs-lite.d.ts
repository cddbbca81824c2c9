/** The part of parquetjs-lite (which has no types) that the plain pipeline uses. */
declare module 'parquetjs-lite' {
  class ParquetSchema {
    constructor(fields: Readonly<Record<string, { type: string; optional?: boolean; compression?: string }>>);
  }
  class ParquetWriter {
    static openFile(schema: ParquetSchema, path: string): Promise<ParquetWriter>;
    appendRow(row: Readonly<Record<string, unknown>>): Promise<void>;
    close(): Promise<void>;
  }
  const parquetjs: { readonly ParquetSchema: typeof ParquetSchema; readonly ParquetWriter: typeof ParquetWriter };
  export default parquetjs;
}
