/** The page at `/` for people: what this is, what to log in with, and commands to copy. */

export interface PageFacts {
  readonly url: string;
  readonly controlUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly referenceToken: string;
  readonly tables: readonly { readonly name: string; readonly rows: number; readonly columns: number }[];
}

export function pageHtml(facts: PageFacts): string {
  const rows = facts.tables.reduce((sum, table) => sum + table.rows, 0);
  const list = facts.tables
    .map(
      (table) =>
        `<tr><td>${escapeHtml(table.name)}</td><td>${table.columns}</td><td>${table.rows.toLocaleString('en')}</td></tr>`,
    )
    .join('\n');
  const pipeline = `version: 1
instance: ${facts.url}
auth:
  kind: service
  clientId: ${facts.clientId}
  clientSecret: \${env:ERPNET_CLIENT_SECRET}
tables:
  include: ["*"]
destination: ./vault`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>tablevault demo instance</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
pre{background:#f3f5f7;padding:1rem;overflow:auto;border-radius:6px}
table{border-collapse:collapse;width:100%}td,th{padding:.2rem .6rem;text-align:left;border-bottom:1px solid #dde2e7}
td+td,th+th{text-align:right;font-variant-numeric:tabular-nums}
@media (prefers-color-scheme:dark){body{color:#e4e7ea;background:#15181c}pre{background:#20252b}td,th{border-color:#333a42}a{color:#8ab8ff}}
</style></head><body>
<h1>tablevault demo instance</h1>
<p>A stand-in for an ERP.net instance on this machine only: discovery, identity and a read-only Table API, with
${facts.tables.length} tables and ${rows.toLocaleString('en')} rows of an invented company, made from a seed while they are read.</p>
<h2>Credentials</h2>
<p>They are made from the seed and worth nothing elsewhere.</p>
<pre>client_id      ${escapeHtml(facts.clientId)}
client_secret  ${escapeHtml(facts.clientSecret)}
reference token ${escapeHtml(facts.referenceToken)}</pre>
<h2>Take a snapshot</h2>
<p>Save as <code>demo.yaml</code>:</p>
<pre>${escapeHtml(pipeline)}</pre>
<pre>export ERPNET_CLIENT_SECRET='${escapeHtml(facts.clientSecret)}'
tablevault snapshot demo.yaml
tablevault ls ./vault</pre>
<h2>Look at it by hand</h2>
<pre>curl -s ${escapeHtml(facts.url)}/tools/auto-discovery
TOKEN=$(curl -s ${escapeHtml(facts.url)}/id/connect/token -d grant_type=client_credentials -d client_id=${escapeHtml(facts.clientId)} \\
  -d client_secret='${escapeHtml(facts.clientSecret)}' -d scope=read | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
curl -s -H "Authorization: Bearer $TOKEN" '${escapeHtml(facts.url)}/tableapi/odata/Gen_Documents?$top=2'
curl -s -H 'X-Api-Key: ${escapeHtml(facts.referenceToken)}' '${escapeHtml(facts.url)}/tableapi/odata/Dmv_Table_Info'</pre>
<p>Tests steer it over <a href="${escapeHtml(facts.controlUrl)}/witness">${escapeHtml(facts.controlUrl)}</a>.</p>
<h2>Tables</h2>
<table><thead><tr><th>Table</th><th>Columns</th><th>Rows</th></tr></thead><tbody>
${list}
</tbody></table>
</body></html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
