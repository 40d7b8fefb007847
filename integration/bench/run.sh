#!/bin/sh
# Benchmark of skep beside crun and runc, and beside a program that makes the kernel calls and nothing else.
#
#   integration/bench/run.sh [--rounds N] [--skep PATH|none] [--cases "run create seccomp exec"] [--keep DIR]
#
#   --rounds N    paired rounds of each case (default 40, after 3 that are not counted)
#   --skep PATH   the binary to measure (default: the release build of this checkout, made if need be);
#                 any runtime with runc's command line will do; `none` measures the peers alone
#   --cases LIST  only these: run, create (create + start + delete), seccomp (the same with Docker's profile), exec
#   --keep DIR    leave the samples and the strace logs there
#
# Needs root, gcc and debootstrap, and the network for the first run (see testing-root.sh). Prints plain text, with
# one line for each budget at the end. Exit status 0 whatever the budgets say, unless it could not measure.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
rounds=40 skep= cases="run create seccomp exec" keep=

die() {
    echo "bench: $*" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    [ $# -gt 1 ] || die "usage: run.sh [--rounds N] [--skep PATH|none] [--cases LIST] [--keep DIR]"
    case $1 in
    --rounds) rounds=$2 ;;
    --skep) skep=$2 ;;
    --cases) cases=$2 ;;
    --keep) keep=$2 ;;
    *) die "unknown argument '$1'" ;;
    esac
    shift 2
done
[ "$(id -u)" = 0 ] || die "needs root"

release_build() {
    host=$(rustc -vV | sed -n 's/^host: //p')
    (cd "$here/../.." && cargo build --release --quiet --package skep)
    echo "${CARGO_TARGET_DIR:-$here/../../target}/$host/release/skep"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for program in bare measure; do
    gcc -O2 -static -o "$work/$program" "$here/$program.c"
done
cp "$here/inside.sh" "$work"
sed -n '/^  "seccomp": {/,/^  }/p' "$here/../../libcontainer/tests/samples/docker.config.json" >"$work/seccomp.json"
if [ "$skep" != none ]; then
    [ -n "$skep" ] || skep=$(release_build)
    # The root sees this directory and nothing else of the host.
    cp "$skep" "$work/skep"
fi

"$here/testing-root.sh" enter -b "$work:/run/bench" sh /run/bench/inside.sh "$rounds" "$cases" ||
    die "could not measure"
if [ -n "$keep" ]; then
    mkdir -p "$keep"
    cp "$work"/samples "$work"/facts "$work"/strace.* "$keep"
fi
awk -f "$here/report.awk" "$work/facts" "$work/samples"
