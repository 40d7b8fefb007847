#!/bin/sh
# As compare.sh, with systemd making the cgroups:
#
#   guest/compare-systemd.sh DIR [OPTION]...
set -eu

here=$(cd "$(dirname "$0")" && pwd)
built=$1
shift
"$here/../bench/testing-root.sh" make
exec "$here/systemd.sh" -f "$built/skep" -f "$built/skep-integration" -f "$built/skep-probe" \
    -f "$here/../bench/testing-root.sh" sh -c '
    # systemd and the runtimes have to mean the same by the path of a cgroup.
    exec ./testing-root.sh enter -b /sys/fs/cgroup -b /run nsenter --cgroup=/proc/1/ns/cgroup \
        "$PWD/skep-integration" --runtime "$PWD/skep" \
        --systemd --against runc --against crun "$@"' sh "$@"
