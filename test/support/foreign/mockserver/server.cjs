// Serves the metadata beside this file with SAP's Fiori elements mock server, on loopback: node server.cjs ROWS.json. Prints its port.
const { readFileSync, writeFileSync } = require('node:fs');
const { createServer } = require('node:http');
const { dirname, join } = require('node:path');
const MockServer = require('@sap-ux/fe-mockserver-core').default;

async function main() {
  const rows = JSON.parse(readFileSync(process.argv[2], 'utf8'));
  // The mock server reads a file of rows when they are first asked for.
  const folder = dirname(process.argv[2]);
  for (const [name, entries] of Object.entries(rows)) {
    writeFileSync(join(folder, `${name}.json`), JSON.stringify(entries));
  }
  const service = {
    urlPath: '/tableapi/odata',
    metadataPath: join(__dirname, 'metadata.xml'),
    mockdataPath: folder,
    generateMockData: false,
    watch: false,
  };
  const mock = new MockServer({ services: [service], annotations: [] });
  await mock.isReady;
  const answer = mock.getRouter();
  const server = createServer((request, response) =>
    answer(request, response, () => {
      response.statusCode = 404;
      response.end();
    }),
  );
  server.listen(0, '127.0.0.1', () => process.stdout.write(`port ${server.address().port}\n`));
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
