#!/bin/sh
# An engine in a guest with pure cgroup v2, where the limits are:
#
#   guest.sh [--systemd] [-u] DIR CMD [ARG...]
#
# CMD, a skep-integration of DIR with skep and the probe beside it in /opt/skep-test, runs in the engines'
# root there; with --systemd, systemd makes the cgroups, and with -u CMD is called by an ordinary user.
set -eu

here=$(dirname "$(realpath "$0")")
guest=run.sh enter=
[ "$1" != --systemd ] || { guest=systemd.sh enter=-s && shift; }
[ "$1" != -u ] || { enter="$enter -u" && shift; }
built=$1
shift
"$here/root.sh" make
# shellcheck disable=SC2016
exec "$here/../guest/$guest" -f "$built/skep" -f "$built/skep-integration" -f "$built/skep-probe" \
    -f "$here/root.sh" -f "$here/modules.sh" sh -c '
    . ./modules.sh
    enter=$1
    shift
    exec ./root.sh enter $enter -b "$PWD:/opt/skep-test" "$@"' sh "$enter" "$@"
