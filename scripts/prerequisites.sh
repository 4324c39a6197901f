#!/bin/sh
# What the demo, the tests and the benchmarks need of the machine. HAProxy is installed by apt, said before it is done;
# of the rest, everything that is missing is said at once. (Fairway itself asks for it with HAPROXY_MISSING and GO_MISSING.)
set -eu
dir=$(CDPATH= cd -P "$(dirname "$0")/.." && pwd)

missing=
say_missing() {
  missing=yes
  echo "missing: $1" >&2
}

if ! [ -e "$dir/node_modules/.fairway-ready" ] && ! command -v npm >/dev/null 2>&1; then
  say_missing "npm, with any Node >= 18 (Debian, Ubuntu: sudo apt-get install -y nodejs npm)"
fi
if ! [ -w "$dir" ] && ! [ -e "$dir/node_modules/.fairway-ready" ]; then
  say_missing "the right to write to $dir, for $(id -un): set it up as its owner, with $dir/fairway --version"
fi
go_version=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed 's/^go//' || true)
go_minor=$(echo "$go_version" | sed -n 's/^1\.\([0-9]*\).*/\1/p')
if [ -z "$go_version" ]; then
  say_missing "Go 1.21 or newer on the PATH (https://go.dev/doc/install)"
elif [ -n "$go_minor" ] && [ "$go_minor" -lt 21 ]; then
  say_missing "Go 1.21 or newer on the PATH; this one is $go_version (https://go.dev/doc/install)"
fi

as_root=
install_haproxy=
if ! PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v haproxy >/dev/null 2>&1; then
  if ! command -v apt-get >/dev/null 2>&1; then
    say_missing "HAProxy 2.6 or newer: install it with this system's package manager"
  elif [ "$(id -u)" -eq 0 ]; then
    install_haproxy=yes
  elif command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    install_haproxy=yes
    as_root=sudo
  else
    say_missing "HAProxy 2.6 or newer, and $(id -un) may not install it. Ask for: sudo apt-get install -y haproxy"
  fi
fi
[ -z "$missing" ] || exit 69
[ -n "$install_haproxy" ] || exit 0

echo "HAProxy is missing: installing it (${as_root:+$as_root }apt-get install haproxy; its own service is turned off) ..." >&2
$as_root apt-get update -qq >&2
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends haproxy >&2
if command -v systemctl >/dev/null 2>&1; then
  $as_root systemctl disable --quiet --now haproxy 2>/dev/null || true # Fairway starts its own, one per home
fi
