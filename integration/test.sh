#!/usr/bin/env bash
# The second command of README.md: on a fresh Debian 12 with Rust, installs what the tests need and runs
# all of them. Closes with one line 'N passed, N failed, N skipped' over everything.
#
# As root: everything. As an ordinary user: without what only root can do. Set SKEP_TEST_PARTS to some of these
# to run only them:
#
#   lint unit root user guest systemd lsm counts compare conformance engines
#       what is run unless told otherwise
#   peers peers-in-guests engines-with-peers engines-of-debian-12
#       proofs of the tests themselves on runc and crun, and older engines: half an hour more
set -euo pipefail

# What the caller ignores, as a shell does in the background (SIGINT), would be ignored in containers too.
if [ -z "${SKEP_TEST_SIGNALS-}" ]; then
    SKEP_TEST_SIGNALS=default exec env --default-signal bash "$0" "$@"
fi

top=$(cd "$(dirname "$0")/.." && pwd)
here=$top/integration
cd "$top"
# shellcheck source=lib.sh
. "$here/lib.sh"

parts=" ${SKEP_TEST_PARTS:-lint unit root user guest systemd lsm counts compare conformance engines} "
user=skeptest
root=
[ "$(id -u)" != 0 ] || root=yes

wants() {
    [[ $parts == *" $1 "* ]]
}

# --- what is needed ---

# command:package or file:package; what is there already is left as it is. libc6-dev, which is only
# recommended by gcc, is for what is linked statically.
needed=(
    cc:gcc busybox:busybox-static linux.uml:user-mode-linux newuidmap:uidmap debootstrap:debootstrap
    strace:strace runc:runc crun:crun setsid:util-linux unshare:util-linux stty:coreutils
    ps:procps /usr/include/seccomp.h:libseccomp-dev /usr/include/stdio.h:libc6-dev
    /lib/systemd/systemd:systemd /usr/lib/systemd/user/dbus.socket:dbus-user-session
)

# What the validation programs are built with, when they are.
validation=(go:golang-go)
for each in blang/semver:blang-semver google/uuid:google-uuid hashicorp/go-multierror:hashicorp-go-multierror \
    mrunalp/fileutils:mrunalp-fileutils opencontainers/runtime-spec:opencontainers-specs \
    opencontainers/selinux:opencontainers-selinux sirupsen/logrus:sirupsen-logrus urfave/cli:urfave-cli \
    xeipuuv/gojsonschema:xeipuuv-gojsonschema; do
    validation+=("/usr/share/gocode/src/github.com/${each%:*}:golang-github-${each#*:}-dev")
done
validation+=(
    /usr/share/gocode/src/github.com/syndtr/gocapability:golang-gocapability-dev
    /usr/share/gocode/src/golang.org/x/sys:golang-golang-x-sys-dev
)

as_admin() {
    if [ "$root" ]; then "$@"; else sudo -n "$@"; fi
}

install_needed() {
    local missing=() each
    ! wants conformance || [ ! "$root" ] || needed+=("${validation[@]}")
    PATH=$PATH:/usr/sbin:/sbin
    for each in "${needed[@]}"; do
        command -v "${each%%:*}" >/dev/null || [ -e "${each%%:*}" ] || missing+=("${each#*:}")
    done
    # The dynamic busybox cannot be a container's.
    if command -v busybox >/dev/null && ! dpkg -s busybox-static >/dev/null 2>&1; then
        missing+=(busybox-static)
    fi
    [ "${#missing[@]}" -gt 0 ] || return 0
    echo "installing: ${missing[*]}"
    as_admin apt-get update -qq
    as_admin env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# Debian roots that parts will ask for, made while the compiler has the processors.
fetch_ahead() {
    [ "$root" ] || return 0
    ! wants engines || "$here/engines/root.sh" make
    ! wants lsm || "$here/guest/qemu-root.sh"
    ! { wants peers || wants compare || wants counts; } || "$here/bench/testing-root.sh" make
}

# --- lint and unit tests ---

lint() {
    local tool
    for tool in fmt clippy; do
        cargo "$tool" --version >/dev/null 2>&1 || rustup component add "${tool/fmt/rustfmt}" || return 1
    done
    cargo fmt --all -- --check -l &&
        cargo clippy --workspace --all-targets -- -D warnings &&
        RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps
}

# The differential tests of seccomp/ ask this program what libseccomp makes of a profile.
unit() {
    cc -O2 -o "$stage/libseccomp-reference" seccomp/tests/reference/reference.c -lseccomp || return 1
    SKEP_LIBSECCOMP_REFERENCE=$stage/libseccomp-reference cargo test --workspace
}

# --- the built programs, where every user can run them ---

stage=
clean_up() {
    [ -z "$stage" ] || rm -rf "$stage"
}
trap clean_up EXIT

build() {
    cargo build --quiet --release -p skep -p skep-integration || return 1
    local target host
    target=$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
    host=$(rustc -vV | sed -n 's/^host: //p')
    cp "$target/$host/release/"{skep,skep-integration,skep-probe} "$stage/"
}

# The library's tests of what only a guest has: of cgroup v2 with limits, and of systemd.
build_tests() {
    local name path
    cargo test --quiet -p skep-libcontainer --lib --test cgroup_v2 --no-run --message-format=json |
        sed -n 's/.*"name":"\(libcontainer\|cgroup_v2\)".*"executable":"\([^"]*\)".*/\1 \2/p' |
        while read -r name path; do cp "$path" "$stage/$name-tests"; done
    [ -x "$stage/libcontainer-tests" ] && [ -x "$stage/cgroup_v2-tests" ]
}

# --- black-box tests ---

make_user() {
    id "$user" >/dev/null 2>&1 || useradd --create-home --shell /bin/sh "$user"
    # useradd gives ranges on Debian, but an older account may have none.
    grep -q "^$user:" /etc/subuid 2>/dev/null || usermod --add-subuids "$(free_range /etc/subuid)" "$user"
    grep -q "^$user:" /etc/subgid 2>/dev/null || usermod --add-subgids "$(free_range /etc/subgid)" "$user"
}

# The first 65536 ids behind all ranges of the file.
free_range() {
    touch "$1"
    awk -F: 'BEGIN { end = 100000 } $2 + $3 > end { end = $2 + $3 } END { print end "-" end + 65535 }' "$1"
}

as_user() {
    setpriv --reuid="$user" --regid="$user" --init-groups env -i PATH="$PATH" HOME="/home/$user" "$@"
}

# The same with nothing but cgroup v1, where this host has both.
v1_only() {
    unshare --mount --propagation private sh -c '
        ! mountpoint -q /sys/fs/cgroup/unified || umount /sys/fs/cgroup/unified || exit
        exec "$0" --runtime "$1" --filter cgroup_v1. --filter pause. --filter hostile.ghsa' "$stage/skep-integration" "$stage/skep"
}

suite() {
    "$stage/skep-integration" --runtime "$stage/skep" "$@"
}

guest() {
    in_guest run.sh "$@"
}

# at_once LINE LINE: both at the same time, since a guest has one processor, and the machine two.
at_once() {
    local status=0 other
    eval "$1" &
    other=$!
    eval "$2" || status=1
    wait "$other" || status=1
    return $status
}

# in_guest SCRIPT CMD [ARG...]
in_guest() {
    local script=$1
    shift
    "$here/guest/$script" -f "$stage/skep-integration" -f "$stage/skep-probe" -f "$stage/skep" "$@"
}

# with_systemd RUNTIME [--peer]: as root, and as a user in his own manager; skep also as after a login,
# where a process cannot leave the session on its own.
with_systemd() {
    local suite="./skep-integration --filter systemd. --filter hostile.cve_2023 --time-limit 60 --runtime $*"
    local login="./as-user --login $suite"
    [ $# = 1 ] || login=true
    in_guest systemd.sh sh -c "
        status=0
        $suite || status=1
        ./as-user $suite || status=1
        $login || status=1
        exit \$status"
}

# The library's own scopes: as root, as a user, and as after a login.
scopes() {
    "$here/guest/systemd.sh" -f "$stage/libcontainer-tests" sh -c '
        status=0
        tests="./libcontainer-tests --color never --test-threads 1 --ignored systemd::tests"
        $tests || status=1
        ./as-user $tests the_bus_of_the_session || status=1
        ./as-user --login $tests || status=1
        exit $status'
}

# A guest in which the controllers are on cgroup v1: under systemd, and all that is limited.
guest_v1() {
    "$here/guest/systemd.sh" "$1" -f "$stage/skep-integration" -f "$stage/skep-probe" -f "$stage/skep" \
        ./skep-integration --runtime ./skep --time-limit 60 \
        --filter systemd. --filter limits.memory --filter limits.pids --filter limits.cpu --filter cgroup_v1. \
        --filter hostile.ghsa
}

# lsm --apparmor|--selinux RUNTIMES [--peer]: labels, in a guest whose kernel has them; skep also as a user.
lsm() {
    local suite="./skep-integration --filter lsm. --time-limit 90 ${3-}"
    local user="/usr/bin/setpriv --reuid=1000 --regid=1000 --clear-groups"
    GUEST_SECONDS=1800 "$here/guest/qemu.sh" "$1" -f "$stage/skep-integration" -f "$stage/skep-probe" \
        -f "$stage/skep" sh -c "
        status=0
        for each in $2; do
            $suite --runtime \$each || status=1
            [ \$each != ./skep ] || $user $suite --runtime \$each || status=1
        done
        exit \$status"
}

# with_labels NAME RUNTIMES [--peer]
with_labels() {
    if "$here/guest/qemu-root.sh" >/dev/null; then
        part "$1" at_once "lsm --apparmor '$2' ${3-}" "lsm --selinux '$2' ${3-}"
    else
        skip "$1" "no qemu or kernel of Debian's could be had"
    fi
}

# Debian testing's peers as root and as an ordinary user.
peer_here() {
    local peer=$1 it=/opt/skep-test
    "$here/bench/testing-root.sh" enter -b "$stage:$it" sh -c "
        status=0
        $it/skep-integration --runtime $peer --peer || status=1
        setpriv --reuid=1000 --regid=1000 --clear-groups $it/skep-integration --runtime $peer --peer || status=1
        exit \$status"
}

# Debian 12's own peers: what needs pure cgroup v2, and what needs newuidmap. One case after the other,
# because shares of the guest's only processor are measured.
peer_in_guest() {
    guest sh -c "
        status=0
        ./skep-integration --runtime $1 --peer --jobs 1 --time-limit 60 --filter cgroup. --filter events. \
            --filter pause. --filter update. --filter delegation. --filter limits.memory. \
            --filter limits.pids. --filter limits.cpu. --filter limits.io. --filter limits.leaks. || status=1
        setpriv --reuid=$user --regid=$user --init-groups \
            ./skep-integration --runtime $1 --peer --filter subids --time-limit 60 || status=1
        exit \$status"
}

# What is written for the same limits: by skep and by Debian testing's peers.
compare() {
    part "what skep, its peers and systemd for them write into cgroup v2" at_once \
        "'$here/guest/compare.sh' '$stage'" "'$here/guest/compare-systemd.sh' '$stage'"
    local v1="what skep and its peers write into cgroup v1"
    if findmnt --types cgroup >/dev/null; then
        part "$v1" "$here/compare-v1.sh" "$stage"
    else
        skip "$v1" "none is mounted here"
    fi
}

# The OCI runtime-tools validation programs. What the peers make of them is in the same table as what fails
# (integration/src/conformance/known.rs); conformance/run.sh peers tries it again.
conformance() {
    local name="the validation programs of OCI runtime-tools"
    local guest="'$here/conformance/run.sh' guest '$stage'"
    if findmnt --types cgroup >/dev/null; then
        part "$name, here and in the guest" at_once "'$here/conformance/run.sh' host '$stage'" "$guest"
    else
        skip "$name" "no cgroup v1 is mounted here; the guest has v2"
        part "$name, in the guest" eval "$guest"
    fi
}

# engine SUITE NAME RUNTIME [--peer]: a real engine drives the runtime, and its user sees what is right.
engine() {
    local it=/opt/skep-test suite=$1 name=$2 user=
    shift 2
    [[ $name != *-rootless ]] || user=-u
    # shellcheck disable=SC2086
    "$here/engines/root.sh" --suite "$suite" enter $user -b "$stage:$it" \
        "$it/skep-integration" --engine "$name" --runtime "$@"
}

# engine_in_guest [--systemd] NAME FILTER...: what is different where cgroups are v2.
engine_in_guest() {
    local flags=() name filters=() each
    [ "$1" != --systemd ] || { flags=(--systemd) && shift; }
    name=$1
    shift
    [[ $name != *-rootless ]] || flags+=(-u)
    for each in "$@"; do filters+=(--filter "$each"); done
    "$here/engines/guest.sh" "${flags[@]}" "$stage" /opt/skep-test/skep-integration --engine "$name" \
        --runtime /opt/skep-test/skep --jobs 1 --time-limit 240 "${filters[@]}"
}

# Each with skep. Its peer passes the same checks: runc where an engine calls that itself, crun with Podman and
# Buildah.
engines() {
    local it=/opt/skep-test/skep pair first second
    for pair in docker:podman cri:podman-rootless containerd:buildah; do
        first=${pair%:*} second=${pair#*:}
        part "$first and $second with skep" at_once "engine testing $first $it" "engine testing $second $it"
    done
    part "buildah-rootless with skep" engine testing buildah-rootless "$it"
    part "Docker with skep in guests with cgroup v2, and with systemd" at_once \
        "engine_in_guest docker limits.memory limits.cpus limits.pids limits.shares limits.oom limits.stats files.device" \
        "engine_in_guest --systemd docker limits.update life.pause build.stages exec.joins"
    local limits="limits.memory limits.cpu limits.pids"
    part "Podman with skep in guests with cgroup v2, and as a user with systemd" at_once \
        "engine_in_guest podman $limits limits.quota limits.shares limits.oom limits.stats pods.paused pods.played_with" \
        "engine_in_guest --systemd podman-rootless $limits limits.update life.pause podman.cgroups"
}

engines_with_peers() {
    local pair
    for pair in docker:runc cri:runc containerd:runc podman:crun podman-rootless:crun buildah:crun buildah-rootless:crun; do
        part "${pair%:*} with ${pair#*:}" engine testing "${pair%:*}" "${pair#*:}" --peer
    done
}

engines_of_debian_12() {
    local name
    for name in docker podman podman-rootless buildah buildah-rootless containerd cri; do
        part "$name of Debian 12 with skep" engine bookworm "$name" /opt/skep-test/skep
    done
}

# with_engines SUITE CMD
with_engines() {
    if ! [ "$root" ]; then
        skip "real engines" "not root"
    elif "$here/engines/root.sh" --suite "$1" make; then
        "$2"
    else
        skip "real engines" "their Debian root could not be made"
    fi
}

# The promises of the benchmark that are counts, which come out the same on any machine. Those of the
# clock and of the page cache it only reports.
counts() {
    local report promise held=0 broken=0
    report=$("$here/bench/run.sh" --rounds 3 --skep "$stage/skep") || return 1
    echo "$report"
    for promise in "run, system calls" "binary, MiB"; do
        if grep -q "^budget: $promise .* held$" <<<"$report"; then
            echo "ok budget: $promise"
            held=$((held + 1))
        else
            echo "FAIL budget: $promise"
            broken=$((broken + 1))
        fi
    done
    echo "$held passed, $broken failed, 0 skipped"
    [ "$broken" = 0 ]
}

main() {
    install_needed || echo "test: not everything could be installed; what needs it will fail" >&2
    stage=$(mktemp -d /var/tmp/skep-test-XXXXXX)
    chmod 755 "$stage"
    local ahead
    ahead=$(mktemp)
    fetch_ahead >"$ahead" 2>&1 </dev/null &
    local fetching=$!
    ! wants lint || part "format, clippy, rustdoc" lint
    ! wants unit || part "cargo test" unit
    part "release build" build
    wait "$fetching" || cat "$ahead"
    rm -f "$ahead"

    if [ "$root" ]; then
        make_user
        if wants root; then
            part "containers as root" suite
            if [ -d /sys/fs/cgroup/memory ]; then
                part "containers as root with cgroup v1 alone" v1_only
            fi
        fi
        ! wants user || part "containers as an ordinary user" as_user "$stage/skep-integration" --runtime "$stage/skep"
    else
        ! wants root || skip "containers as root" "not root"
        ! wants user || part "containers as an ordinary user" suite
    fi
    if wants guest || wants systemd; then
        part "the library's tests for guests" build_tests
    fi
    if wants guest; then
        part "cgroups in a guest with cgroup v2" "$here/guest/run.sh" -f "$stage/cgroup_v2-tests" ./cgroup_v2-tests --color never --test-threads 1
        local suite="guest ./skep-integration --runtime ./skep --time-limit 60 --share"
        part "containers in two guests with cgroup v2" at_once "$suite 1/2" "$suite 2/2"
    fi
    if wants systemd; then
        part "scopes and containers in guests with systemd" at_once scopes "with_systemd ./skep"
        part "containers in guests with cgroup v1, and with v2 beside it" at_once "guest_v1 --legacy" "guest_v1 --hybrid"
    fi
    ! wants lsm || with_labels "AppArmor and SELinux in guests" ./skep

    if wants counts; then
        if [ "$root" ]; then
            part "system calls and size" counts
        else
            skip "system calls and size" "not root"
        fi
    fi
    if wants peers; then
        if [ "$root" ]; then
            part "the cases on runc and crun" at_once "peer_here runc" "peer_here crun"
        else
            skip "the cases on runc and crun" "not root"
        fi
    fi
    if wants peers-in-guests; then
        with_labels "labels in guests by Debian 12's runc and crun" "runc crun" --peer
        part "the cases on runc and crun in guests with systemd" at_once "with_systemd runc --peer" "with_systemd crun --peer"
        if [ "$root" ]; then
            make_user
            part "the cases on runc and crun in guests" at_once "peer_in_guest runc" "peer_in_guest crun"
        else
            skip "the cases on runc and crun in guests" "not root"
        fi
    fi
    if wants compare; then
        if [ "$root" ]; then compare; else skip "what skep and its peers write" "not root"; fi
    fi
    if wants conformance; then
        if [ "$root" ]; then conformance; else skip "the validation programs" "not root"; fi
    fi
    ! wants engines || with_engines testing engines
    ! wants engines-with-peers || with_engines testing engines_with_peers
    ! wants engines-of-debian-12 || with_engines bookworm engines_of_debian_12
    finish
}

main
