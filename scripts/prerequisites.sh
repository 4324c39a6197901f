#!/bin/sh
# prerequisites.sh use|test: what the demo needs of the machine, or the tests and the benchmarks. What apt has is installed by
# it, said before it is done; of the rest, everything that is missing is said at once. (Fairway itself asks for it with
# HAPROXY_MISSING and GO_MISSING.)
set -eu
purpose=${1:-use}
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
# The demo builds as any user does: a Go that is missing or too old is fetched, from GOPROXY or from where an older Go has its
# modules. The tests start `go` themselves.
source=
case ${GOPROXY:-} in '' | off | direct) ;; *) source=yes ;; esac
go_version=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed 's/^go//' || true)
go_minor=$(echo "$go_version" | sed -n 's/^1\.\([0-9]*\).*/\1/p')
if [ -z "$go_version" ]; then
  if [ "$purpose" = test ]; then
    say_missing "Go 1.21 or newer on the PATH (https://go.dev/doc/install)"
  elif [ -z "$source" ]; then
    say_missing "Go on the PATH (https://go.dev/doc/install), or where to fetch it: export GOPROXY=https://HOST, a module proxy"
  fi
elif [ "$purpose" = test ] && [ -n "$go_minor" ] && [ "$go_minor" -lt 21 ]; then
  say_missing "Go 1.21 or newer on the PATH; this one is $go_version (https://go.dev/doc/install)"
fi

# A command, and Debian's packages that have it and what it needs.
wanted=haproxy:haproxy
if [ "$purpose" = test ]; then
  wanted="$wanted git:git nginx:nginx ip:iproute2 nft:nftables gcc:gcc,libc6-dev npm:npm qemu-aarch64:qemu-user
    aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu,libc6-dev-arm64-cross
    arm-linux-gnueabihf-gcc:gcc-arm-linux-gnueabihf,libc6-dev-armhf-cross
    unzip:unzip docker-registry:docker-registry dockerd:docker.io"
fi
packages=
for pair in $wanted; do
  PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v "${pair%%:*}" >/dev/null 2>&1 || packages="$packages ${pair#*:}"
done
packages=$(echo "$packages" | tr , ' ')
as_root=
if [ -n "$packages" ]; then
  if ! command -v apt-get >/dev/null 2>&1; then
    say_missing "with this system's package manager:$packages (HAProxy 2.6 or newer)"
  elif [ "$(id -u)" -eq 0 ]; then
    :
  elif command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    as_root=sudo
  else
    say_missing "what $(id -un) may not install. Ask for: sudo apt-get install -y$packages"
  fi
fi
[ -z "$missing" ] || exit 69
[ -n "$packages" ] || exit 0

echo "missing:$packages: installing (${as_root:+$as_root }apt-get install$packages; services of their own are turned off) ..." >&2
$as_root apt-get update -qq >&2
# shellcheck disable=SC2086 # a list of words
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >&2
for service in haproxy nginx docker-registry docker; do
  case $packages in
  *$service*)
    if command -v systemctl >/dev/null 2>&1; then
      $as_root systemctl disable --quiet --now "$service" 2>/dev/null || true # Fairway and its tests start their own
    fi
    ;;
  esac
done
