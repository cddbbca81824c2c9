/** Are the files of `schemas/` to be written anew? npm names the script that runs, in the same way on every platform. */
export const WRITE_SCHEMAS = process.env['npm_lifecycle_event'] === 'schemas';
