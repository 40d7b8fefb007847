# The part of run.sh that runs in the testing root: bundles, timed rounds, system-call counts.
#
#   inside.sh ROUNDS CASES
#
# Writes into its own directory: `samples` (see measure.c), `facts` (lines "KEY WORDS...") and strace.CASE.CANDIDATE.
set -eu

here=/run/bench
rounds=$1 cases=$2
runtimes="crun runc"
[ -e $here/skep ] && runtimes="skep $runtimes"

# The peers are copied out of the read-only root: on a read-only mount crun leaves out what protects its binary
# from the container (CVE-2019-5736), which is a fifth of its time and of its system calls.
cp "$(command -v crun)" "$(command -v runc)" $here

# A bundle of the default spec, with a command that needs no terminal. One rootfs serves all candidates.
make_bundle() {
    name=$1
    shift
    mkdir -p "/tmp/$name" /tmp/rootfs
    (cd /tmp/rootfs && mkdir -p bin proc dev sys && cp /bin/busybox bin/true && ln -f bin/true bin/sleep)
    cd "/tmp/$name"
    runc spec
    sed -i 's/"terminal": true/"terminal": false/; s|"path": "rootfs"|"path": "/tmp/rootfs"|; s|"sh"|"'"$1"'"|' config.json
    cd /
}

plan_run() {
    for runtime in $runtimes; do
        echo "run $runtime $here/$runtime run --bundle /tmp/true bench"
    done
    echo "run bare $here/bare run /tmp/rootfs"
    echo "run bare+filter $here/bare run /tmp/rootfs --device-filter"
}

plan_create() {
    plan_life create true
}

# crun keeps what it has compiled in /run and finds it there; the others compile each time.
plan_seccomp() {
    plan_life seccomp filtered
}

plan_life() {
    for runtime in $runtimes; do
        path=$here/$runtime
        echo "$1 $runtime $path create --bundle /tmp/$2 bench ; $path start bench ; $path delete bench"
    done
}

# As Docker starts a container: with its profile, and without noNewPrivileges.
add_profile() {
    sed -i "/\"linux\": {/r $here/seccomp.json" "$1/config.json"
    sed -i 's/"noNewPrivileges": true/"noNewPrivileges": false/' "$1/config.json"
}

# Each runtime enters a container that it made itself; the bare program enters the last one made.
plan_exec() {
    for runtime in $runtimes; do
        $here/"$runtime" run --detach --pid-file "/tmp/$runtime.pid" --bundle /tmp/sleep "sleep-$runtime" </dev/null >/dev/null
        echo "exec $runtime $here/$runtime exec sleep-$runtime /bin/true"
    done
    echo "exec bare $here/bare exec $(cat "/tmp/$runtime.pid")"
}

# All processes but the timing driver itself, which is the first to appear.
count_calls() {
    awk 'NR == 1 { driver = $1 }
         $1 != driver && !/ resumed>/ && !/^[0-9]+ +(\+\+\+|---)/ { calls++ }
         END { print calls + 0 }' "$1"
}

count_case() {
    while read -r name candidate command; do
        trace=$here/strace.$name.$candidate
        echo "$name $candidate $command" | strace -f -qq -o "$trace" $here/measure 1 0 >/dev/null
        echo "calls $name $candidate $(count_calls "$trace")"
        if grep -q 'bpf(BPF_PROG_LOAD' "$trace"; then echo "filter $name $candidate"; fi
    done <"/tmp/plan.$1"
}

facts() {
    echo "rounds $rounds"
    echo "kernel $(uname -r), $(nproc) CPUs"
    echo "cpus $(nproc)"
    echo "load $(cut -d ' ' -f 1 /proc/loadavg)"
    for runtime in $runtimes; do
        echo "version $runtime $("$here/$runtime" --version | head -n 1)"
        echo "size $runtime $(stat -L -c %s "$here/$runtime")"
    done
}

make_bundle true '/bin/true'
make_bundle sleep '/bin/sleep", "1000'
make_bundle filtered '/bin/true'
add_profile /tmp/filtered
facts >$here/facts
for name in $cases; do
    "plan_$name" >"/tmp/plan.$name"
    $here/measure "$rounds" 3 <"/tmp/plan.$name" >>$here/samples
    count_case "$name" >>$here/facts
done
