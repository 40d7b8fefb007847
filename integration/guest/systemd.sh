#!/bin/sh
# As run.sh, but systemd is the guest's first process, with a manager for the system and one for an
# ordinary user who need not log in:
#
#   guest/systemd.sh [--hybrid | --legacy] [-f FILE]... CMD [ARG...]
#
# CMD runs as root in guest.service of system.slice, without a terminal, in /run/it, where the FILEs and
# these are:
#
#   ./as-user CMD [ARG...]           runs CMD as the user `guest` (uid 1000, 65536 subordinate ids) in a
#                                    service of his own manager, with his bus and XDG_RUNTIME_DIR
#   ./as-user --login CMD [ARG...]   as after a login: in a session's scope, beside his manager
#
# cgroups are pure v2; --hybrid: v1 controllers, and v2 for systemd; --legacy: v1 for systemd, too.
set -eu

unified=1 legacy=no
case ${1-} in
--hybrid) unified=0 legacy=no ;;
--legacy) unified=0 legacy=yes ;;
*) set -- "" "$@" ;;
esac
shift
here=$(dirname "$0")
# For run.sh: the first program, and more words for the kernel and for systemd.
export GUEST_INIT=init-systemd.sh
export GUEST_WORDS="${GUEST_DEBUG:-loglevel=1} systemd.unified_cgroup_hierarchy=$unified \
systemd.legacy_systemd_cgroup_controller=$legacy systemd.unit=guest.target systemd.show_status=no \
systemd.log_target=kmsg"
exec "$here/run.sh" -f "$here/as-user" "$@"
