#!/usr/bin/env bash
# Runs tests on another version of Node, which the npm package `node` brings; nothing is installed in the project or the system.
#
#   other-node.sh VERSION [vitest arguments]     e.g. other-node.sh 24 --project unit
#
# `dist/` must be built: the command line and the writer threads run from it, on the same version.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=${1:?usage: other-node.sh VERSION [vitest arguments]}
shift
[[ $version =~ ^[0-9]+(\.[0-9]+){0,2}$ ]] || { echo "not a version of Node: $version" >&2; exit 2; }

home=node_modules/.cache/tablevault-node/$version
node=$PWD/$home/node_modules/node/bin/node
if [[ ! -x $node ]]; then
  mkdir -p "$home"
  npm install --prefix "$home" --no-save --no-audit --no-fund --no-package-lock "node@$version" >&2
fi
"$node" -e 'process.stdout.write(`Node ${process.version}\n`)'
# First in PATH, so that whatever a test starts by name is the same version too.
export PATH=${node%/node}:$PATH
exec "$node" node_modules/vitest/vitest.mjs run "$@"
