import { test } from 'vitest';
import { startDemo } from '../../../src/demo/instance.ts';
test('smoke', async () => {
  const t0 = performance.now();
  const demo = await startDemo();
  console.log('start', performance.now() - t0);
  const h = { 'x-api-key': demo.credentials.referenceToken };
  const get = async (p: string, hh: Record<string,string> = h) => { const r = await fetch(demo.url + p, { headers: hh }); return { s: r.status, t: await r.text() }; };
  for (const p of ['/tools/auto-discovery', '/tools/ver', '/id/.well-known/openid-configuration', '/tableapi/odata/', '/tableapi/odata/$metadata', '/tableapi/odata/Gen_Documents?$top=2', '/tableapi/odata/Dmv_Table_Info?$top=2', "/tableapi/odata/Crm_Sales_Order_Lines?$filter=Sales_Order_Reference/Document_Reference/State%20ge%2040&$top=1&$select=Sales_Order_Line_Id,Quantity&$count=true", '/tableapi/odata/Gen_Documents?$filter=Notes eq 1','/tableapi/odata/Inv_Current_Balances?$top=2', '/tableapi/odata/Gen_Document_Links?$top=3']) {
    const r = await get(p); console.log(p, r.s, r.t.slice(0, 900));
  }
  const tok = await (await fetch(demo.url + '/id/connect/token', { method: 'POST', body: new URLSearchParams({ grant_type: 'client_credentials', client_id: demo.credentials.service.clientId, client_secret: demo.credentials.service.clientSecret, scope: 'read' }) })).json() as any;
  console.log(tok);
  let total = 0, bytes = 0; const t1 = performance.now();
  for (const t of demo.tables) {
    const r = await fetch(demo.url + '/tableapi/odata/' + t.name, { headers: { authorization: 'Bearer ' + tok.access_token, 'accept-encoding': 'identity' } });
    const text = await r.text(); bytes += text.length;
    const j = JSON.parse(text).value; if (j.length !== t.rows) console.log('BAD', t.name, j.length, t.rows); total += j.length;
    const ks = new Set(j.map((x: any) => t.key.map((k) => x[k]).join('|'))); if (t.key.length && ks.size !== j.length) console.log('dup keys', t.name, ks.size, j.length);
  }
  console.log('rows', total, bytes, performance.now() - t1);
  const t2 = performance.now();
  for (const t of demo.tables) { const r = await fetch(demo.url + '/tableapi/odata/' + t.name, { headers: { authorization: 'Bearer ' + tok.access_token, 'accept-encoding': 'identity' } }); await r.arrayBuffer(); }
  console.log('again', performance.now() - t2);
  // paging
  let link = 'Gen_Documents?$top=1000&$select=Id,Row_Version', n = 0, pages = 0; const seen = new Set();
  while (link) { const r = JSON.parse((await get('/tableapi/odata/' + link)).t); for (const x of r.value) seen.add(x.Id); n += r.value.length; pages++; link = r['@odata.nextLink']; }
  console.log('paged', n, seen.size, pages);
  demo.write({ inserts: 50, updates: 50, deletes: 50, tables: ['Gen_Property_Values', 'Crm_Invoice_Lines'] });
  link = 'Gen_Property_Values?$top=777&$select=Property_Value_Id,Row_Version'; n = 0; seen.clear();
  while (link) { const r = JSON.parse((await get('/tableapi/odata/' + link)).t); for (const x of r.value) seen.add(x.Property_Value_Id); n += r.value.length; link = r['@odata.nextLink']; }
  console.log('paged', n, seen.size, demo.tables.find((t) => t.name === 'Gen_Property_Values')!.rows, [...demo.rows('Gen_Property_Values')].length);
  const w = demo.witness(); console.log({ ...w, log: w.log.length });
  await demo.close();
}, 120000);
