/**
 * Loaded by `node --require` into a real `tablevault` process: kills it, as `kill -9` does, before or after its n-th step on the vault's
 * folder. A step makes an object visible (`link`, `rename`) or takes one away (`unlink`). With no n it writes down how many there were.
 */
const { appendFileSync } = require('node:fs');
const promises = require('node:fs/promises');
const { syncBuiltinESMExports } = require('node:module');
const { isMainThread } = require('node:worker_threads');

const { TORTURE_ROOT: root, TORTURE_KILL: kill, TORTURE_STEPS: steps } = process.env;
const [nth, when] = (kill ?? '0:none').split(':');
let made = 0;

const die = () => {
  process.kill(process.pid, 'SIGKILL');
  for (;;);
};

for (const [name, place] of Object.entries({ link: 1, rename: 1, unlink: 0 })) {
  const original = promises[name];
  promises[name] = async (...paths) => {
    const path = String(paths[place]);
    if (!path.startsWith(root) || path.includes('.tmp')) return original(...paths);
    made += 1;
    if (steps !== undefined) appendFileSync(steps, `${name} ${path.slice(root.length + 1)}\n`);
    if (made === Number(nth) && when === 'before') die();
    const result = await original(...paths);
    if (made === Number(nth) && when === 'after') die();
    return result;
  };
}
if (isMainThread) syncBuiltinESMExports();
