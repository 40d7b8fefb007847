#!/bin/sh
# Benchmark of the profile compiler and of its filters, beside libseccomp's: prints plain tables.
#
# Needs a C compiler with libseccomp's headers for the comparison (Debian: gcc libseccomp-dev), valgrind for counts of
# instructions; leaves out what is not there.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if cc -O2 -o "$work/reference" "$here/../tests/reference/reference.c" -lseccomp; then
    export SKEP_LIBSECCOMP_REFERENCE="$work/reference"
fi
if cc -O2 -o "$work/cost" "$here/cost.c"; then
    export SKEP_SECCOMP_COST="$work/cost"
fi
cd "$here/.."
cargo bench --quiet --bench filters
