#!/bin/bash
# What a user waits for, side by side: the same engines with skep, runc and crun.
#
#   timing.sh DIR [ROUNDS]      DIR has skep; 20 rounds unless told otherwise
#
# In each round every runtime has its turn, so that whatever else the machine does meets all of them. For
# each command the median of its wall time in milliseconds, and after `/` how much of that is in the
# runtime's own calls: measured in rounds of their own, by a program in the runtime's place that looks at
# the clock. It starts the runtime itself, which is in what is shown, about one millisecond a call.
set -eu

here=$(dirname "$(realpath "$0")")
if [ "${1-}" != inside ]; then
    "$here/root.sh" make
    exec "$here/root.sh" enter -b "$(realpath "$1"):/opt/skep-test" -b "$here:/opt/engines" \
        bash /opt/engines/timing.sh inside "${2-20}"
fi
rounds=$2
names=(skep runc crun)
work=$(mktemp -d)

declare -A path=([skep]=/opt/skep-test/skep [runc]=/usr/sbin/runc [crun]=/usr/bin/crun)

# clocked NAME: the same runtime with its calls measured, under a name that engines take for itself.
for name in "${names[@]}"; do
    mkdir "$work/$name"
    printf '#!/bin/bash\nbegin=$EPOCHREALTIME\n%s "$@"\nstatus=$?\necho $((${EPOCHREALTIME/./} - ${begin/./})) >>%s/clock\nexit $status\n' \
        "${path[$name]}" "$work" >"$work/$name/$name"
    chmod +x "$work/$name/$name"
done

start_engines() {
    local runtimes='' name
    for name in "${names[@]}"; do
        # runc is there, and may not be named.
        [ "$name" = runc ] || runtimes+="\"$name\": {\"path\": \"${path[$name]}\"}, "
        runtimes+="\"clocked-$name\": {\"path\": \"$work/$name/$name\"},"
    done
    echo "{\"runtimes\": {${runtimes%,}}, \"storage-driver\": \"overlay2\"}" >"$work/daemon.json"
    # ctr talks to dockerd's containerd.
    dockerd --config-file "$work/daemon.json" >"$work/dockerd.log" 2>&1 &
    until docker version >/dev/null 2>&1; do sleep 0.1; done
}

make_image() {
    mkdir -p "$work/root/bin"
    cp /bin/busybox "$work/root/bin"
    ln -s busybox "$work/root/bin/true"
    ln -s busybox "$work/root/bin/sleep"
    tar -C "$work/root" -cf "$work/root.tar" .
    docker import "$work/root.tar" straw >/dev/null
    podman import --quiet "$work/root.tar" straw >/dev/null
    docker tag straw docker.io/library/straw:latest
    docker save docker.io/library/straw:latest | ctr images import - >/dev/null
}

export CONTAINERD_ADDRESS=/run/docker/containerd/containerd.sock PODMAN_IGNORE_CGROUPSV1_WARNING=1

# Each takes the runtime's path, and its name in Docker.
docker_run() { docker run --runtime "$2" --rm --network none straw true; }
docker_exec() { docker exec "exec-$2" true; }
podman_run() { podman --runtime "$1" run --rm --network none straw true; }
podman_exec() { podman --runtime "$1" exec "exec-$2" true; }
ctr_run() { ctr run --rm --runc-binary "$1" docker.io/library/straw:latest "c$RANDOM$RANDOM" true; }

for_exec() {
    docker run --detach --runtime "$2" --name "exec-$2" --network none --init straw sleep 10000 >/dev/null
    podman --cgroup-manager cgroupfs --runtime "$1" run --detach --name "exec-$2" --network none straw sleep 10000 >/dev/null
}

each_runtime() {
    local name
    for name in "${names[@]}"; do
        "$@" "${path[$name]}" "$name"
        "$@" "$work/$name/$name" "clocked-$name"
    done
}

median() {
    sort -n | awk '{ all[NR] = $1 } END { printf "%.1f", all[int((NR + 1) / 2)] / 1000 }'
}

# In microseconds, to a file of its own for each command and runtime.
measure() {
    local begin share
    begin=$EPOCHREALTIME
    "$1" "${path[$2]}" "$2" >/dev/null
    echo $((${EPOCHREALTIME/./} - ${begin/./})) >>"$work/$1.$2"
    : >"$work/clock"
    "$1" "$work/$2/$2" "clocked-$2" >/dev/null
    share=$(awk '{ sum += $1 } END { print sum + 0 }' "$work/clock")
    echo "$share" >>"$work/$1.$2.share"
}

start_engines
make_image
each_runtime for_exec
commands=(docker_run docker_exec podman_run podman_exec ctr_run)
for ((round = 0; round < rounds; round++)); do
    for command in "${commands[@]}"; do
        for name in "${names[@]}"; do measure "$command" "$name"; done
    done
done
printf '%-12s' "ms"
printf ' %15s' "${names[@]}"
echo
for command in "${commands[@]}"; do
    printf '%-12s' "${command/_/ }"
    for name in "${names[@]}"; do
        printf ' %15s' "$(median <"$work/$command.$name") / $(median <"$work/$command.$name.share")"
    done
    echo
done
