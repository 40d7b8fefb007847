# What the test scripts share: parts, their counts, and the closing line. Sourced by bash.

passed=0
failed=0
skipped=0
trouble=()

# Names on stdout where the log is being read, so that a long part can be found.
title() {
    printf '\n== %s\n' "$*"
}

# part NAME CMD...: runs it, adds the counts that it prints, and notes whether it failed.
part() {
    local name=$1 log status=0
    shift
    log=$(mktemp)
    title "$name"
    local begin=$SECONDS
    "$@" >"$log" 2>&1 </dev/null &
    local job=$!
    tail -n +1 -f --pid="$job" "$log"
    wait "$job" || status=$?
    add_counts "$log"
    [ "$status" = 0 ] || trouble+=("$name (exit status $status)")
    echo "-- $name: exit status $status, $((SECONDS - begin)) s"
    rm -f "$log"
}

# Adds the harness's closing lines and cargo test's results.
add_counts() {
    local p f s
    while read -r p f s; do
        passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    done < <(sed -nE \
        -e 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' \
        -e 's/^test result: .* ([0-9]+) passed; ([0-9]+) failed; ([0-9]+) ignored;.*/\1 \2 \3/p' "$1")
}

# skip NAME REASON: a part that cannot be run here.
skip() {
    title "$1"
    echo "SKIP $1: $2"
    skipped=$((skipped + 1))
}

# The last line; the exit status says whether all went well.
finish() {
    local each
    for each in "${trouble[@]}"; do
        echo "failed part: $each"
    done
    # A part that failed without a failed test (a build, a lint) is a failure too.
    if [ "${#trouble[@]}" -gt 0 ] && [ "$failed" = 0 ]; then
        failed=${#trouble[@]}
    fi
    printf '\n%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
    [ "$failed" = 0 ]
}
