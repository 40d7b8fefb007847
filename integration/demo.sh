#!/bin/sh
# The first command of README.md: builds skep and runs a container, as root or as an ordinary user, with
# nothing but Rust and a linker. Nothing is installed or downloaded but the crates.
set -eu

die() {
    echo "demo: $*" >&2
    exit 1
}

cd "$(dirname "$0")/.."
command -v cargo >/dev/null || die "no cargo: install Rust (https://rustup.rs)"
command -v cc >/dev/null || die "no linker for Rust: on Debian, apt-get install gcc libc6-dev"

cargo build --release -p skep -p skep-integration
target=$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
built=$target/$(rustc -vV | sed -n 's/^host: //p')/release

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bundle/rootfs"
cp "$built/skep-hello" "$work/bundle/rootfs/hello"

rootless=
[ "$(id -u)" = 0 ] || rootless=--rootless
"$built/skep" spec --bundle "$work/bundle" $rootless
sed -i -e 's/"terminal": true/"terminal": false/' -e 's|"sh"|"/hello"|' "$work/bundle/config.json"

echo "demo: skep run --bundle $work/bundle demo$$"
"$built/skep" --root "$work/state" run --bundle "$work/bundle" "demo$$"
