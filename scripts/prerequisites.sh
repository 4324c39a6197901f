#!/bin/sh
# What the demo, the tests and the benchmarks need of the machine: HAProxy, by apt, said before it is done.
# Fairway itself asks for it with HAPROXY_MISSING.
set -eu

if ! command -v go >/dev/null 2>&1; then
  echo "Go is missing: install Go 1.24 or newer and put it on the PATH." >&2
  exit 69
fi
if PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v haproxy >/dev/null 2>&1; then
  exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
  echo "HAProxy (2.6 or newer) is missing: install it with this system's package manager." >&2
  exit 69
fi
if [ "$(id -u)" -eq 0 ]; then
  as_root=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
  as_root=sudo
else
  echo "HAProxy is missing, and $(id -un) may not install it. Ask for: sudo apt-get install -y haproxy" >&2
  exit 69
fi
echo "HAProxy is missing: installing it (apt-get install haproxy; its own service stays off) ..." >&2
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq >&2
$as_root apt-get install -y -qq --no-install-recommends haproxy >&2
