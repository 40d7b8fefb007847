#!/bin/sh
# Compares, in the guest, what skep writes into cgroup v2 with what Debian testing's runc and crun write:
#
#   guest/compare.sh DIR [OPTION]...
#
# DIR has the built skep, skep-integration and skep-probe; OPTIONs are skep-integration's. As root, since
# the peers' root is made with debootstrap.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
built=$1
shift
"$here/../bench/testing-root.sh" make
# What the root of all does not hand on, nobody below it has.
exec "$here/run.sh" -f "$built/skep" -f "$built/skep-integration" -f "$built/skep-probe" \
    -f "$here/../bench/testing-root.sh" sh -c '
    for name in $(cat /sys/fs/cgroup/cgroup.controllers); do
        echo "+$name" >/sys/fs/cgroup/cgroup.subtree_control
    done
    exec ./testing-root.sh enter -b "$PWD" "$PWD/skep-integration" --runtime "$PWD/skep" \
        --against runc --against crun "$@"' sh "$@"
