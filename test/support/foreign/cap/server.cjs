// Serves the model beside this file with SAP CAP and SQLite in memory, on loopback: node server.cjs ROWS.json. Prints its port.
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const cds = require('@sap/cds');
const express = require('express');

async function main() {
  const rows = JSON.parse(readFileSync(process.argv[2], 'utf8'));
  cds.root = __dirname;
  cds.env.requires.auth = { kind: 'dummy-auth' };
  // sql.js is SQLite in WebAssembly: nothing is compiled or fetched when it is installed.
  const credentials = { url: ':memory:' };
  cds.env.requires.db = { kind: 'sqlite', impl: '@cap-js/sqlite', driver: 'sql.js', credentials };
  // Pages by key, with `$skiptoken`.
  cds.env.query.limit = { default: 70, max: 70, reliablePaging: true };
  const model = await cds.load(join(__dirname, 'model.cds'));
  cds.model = cds.compile.for.nodejs(model);
  const db = await cds.connect.to('db');
  await cds.deploy(model).to(db);
  for (const [name, entries] of Object.entries(rows)) {
    await cds.ql.INSERT.into(cds.model.definitions[`Shop.${name}`]).entries(entries);
  }
  const app = express();
  await cds.serve('all').from(model).in(app);
  const server = app.listen(0, '127.0.0.1', () => process.stdout.write(`port ${server.address().port}\n`));
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
