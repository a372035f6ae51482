/** Tells node where modules are that browsers find by the import map: `node --import ./tests/dashboard/resolve.js`. */

import { existsSync } from "node:fs";
import { register } from "node:module";
import { isMainThread } from "node:worker_threads";

const DASHBOARD = new URL("../../node/dashboard/", import.meta.url);

// The hooks run in a thread of their own, which loads this file again.
if (isMainThread) register(import.meta.url);

/** One rule as in node/dashboard/__init__.py: `strand/` and a path, or a path below vendor/ without its ending. */
export function resolve(name, context, next) {
  const path = name.startsWith("strand/") ? name.slice("strand/".length) : `vendor/${name}.js`;
  const url = new URL(path, DASHBOARD);
  if (/^[.\/]|^(node|file):/.test(name) || !existsSync(url)) return next(name, context);
  return { url: url.href, format: "module", shortCircuit: true };
}
