# Tables and budgets from `facts` and `samples` (see inside.sh and measure.c).

FILENAME ~ /facts$/ { read_fact(); next }
{ read_sample() }
END { report() }

function read_fact() {
    if ($1 == "calls") calls[$2, $3] = $4
    else if ($1 == "filter") filter[$3] = 1
    else if ($1 == "size") size[$2] = $3
    else if ($1 == "version") { name = $2; sub(/^version [^ ]+ /, ""); version[name] = $0 }
    else { key = $1; sub(/^[^ ]+ /, ""); fact[key] = $0 }
}

function read_sample(  key) {
    key = $1 SUBSEP $2
    if (!(key in rounds)) {
        if (!($1 in members)) order[++cases] = $1
        members[$1] = members[$1] " " $2
    }
    time[$1, $2, ++rounds[key]] = $3 / 1e6
    cpu[$1, $2, rounds[key]] = $5 / 1e3
    if ($4 > peak[key]) peak[key] = $4
}

# The wanted percentile of values[1..n], which are sorted in place.
function percentile(values, n, percent,  i, j, value) {
    for (i = 2; i <= n; i++) {
        value = values[i]
        for (j = i - 1; j > 0 && values[j] > value; j--) values[j + 1] = values[j]
        values[j + 1] = value
    }
    i = int(n * percent / 100 + 0.999999)
    return values[i < 1 ? 1 : i]
}

function time_of(name, candidate, percent,  n, i, values) {
    n = rounds[name, candidate]
    for (i = 1; i <= n; i++) values[i] = time[name, candidate, i]
    return percentile(values, n, percent)
}

function cpu_of(name, candidate,  n, i, values) {
    n = rounds[name, candidate]
    for (i = 1; i <= n; i++) values[i] = cpu[name, candidate, i]
    return percentile(values, n, 50)
}

# The median of the ratios within each round, so that slow moments of the machine cancel out.
function ratio(name, candidate, other,  n, i, values) {
    n = rounds[name, candidate]
    if (!rounds[name, other]) return -1
    for (i = 1; i <= n; i++) values[i] = time[name, candidate, i] / time[name, other, i]
    return percentile(values, n, 50)
}

function difference(name, candidate, other,  n, i, values) {
    n = rounds[name, candidate]
    for (i = 1; i <= n; i++) values[i] = time[name, candidate, i] - time[name, other, i]
    return percentile(values, n, 50)
}

# The bare program that does what the candidate does: with the device filter if that loads one.
function bare_like(name, candidate) {
    return name == "run" && (candidate in filter) ? "bare+filter" : "bare"
}

function shown(value, format) { return value < 0 ? "-" : sprintf(format, value) }

function table(name,  n, list, i, candidate) {
    printf "\n%s\n", title[name]
    printf "  %-12s %8s %8s %8s %8s %8s %8s %9s %9s\n", "", "median", "p10", "p90", "of crun", "of bare", "CPU", "syscalls", "peak RSS"
    n = split(members[name], list, " ")
    for (i = 1; i <= n; i++) {
        candidate = list[i]
        printf "  %-12s %5.2f ms %8.2f %8.2f %8s %8s %5.2f ms %9d %5d KiB\n", candidate, time_of(name, candidate, 50),
            time_of(name, candidate, 10), time_of(name, candidate, 90), shown(ratio(name, candidate, "crun"), "%.2f"),
            shown(ratio(name, candidate, bare_like(name, candidate)), "%.2f"), cpu_of(name, candidate), calls[name, candidate], peak[name, candidate]
    }
}

function budget(what, value, limit, format) {
    if (value < 0) return
    printf "budget: %-46s " format " of " format "  %s\n", what, value, limit, value <= limit ? "held" : "BROKEN"
}

function fairness(  cost) {
    if (!(("run", "bare") in rounds)) return
    cost = difference("run", "bare+filter", "bare")
    printf "\nThe device filter (an eBPF program on the cgroup) costs the bare program %.2f ms. ", cost
    if (!(("run", "skep") in rounds)) print "crun and runc load one."
    else if ("skep" in filter) print "All three runtimes load one."
    else printf "crun and runc load one, skep here does NOT:\nits time is compared with the bare program without the filter, and its lead on crun is flattered by that much.\n"
}

function budgets() {
    if (!("skep" in size)) return
    print ""
    budget("run, of crun's time", ratio("run", "skep", "crun"), 0.5, "%6.2f")
    budget("run, of the bare program's time", ratio("run", "skep", bare_like("run", "skep")), 1.5, "%6.2f")
    budget("run, system calls", (("run", "skep") in calls) ? calls["run", "skep"] : -1, 250, "%6d")
    budget("create + start + delete, of crun's time", ratio("create", "skep", "crun"), 0.5, "%6.2f")
    budget("the same with Docker's profile, of crun's time", ratio("seccomp", "skep", "crun"), 0.5, "%6.2f")
    budget("exec, of crun's time", ratio("exec", "skep", "crun"), 0.5, "%6.2f")
    budget("binary, MiB", size["skep"] / 1048576, 3, "%6.2f")
    budget("run, peak RSS, MiB", (("run", "skep") in peak) ? peak["run", "skep"] / 1024 : -1, 2, "%6.2f")
}

function report(  i, name) {
    title["run"] = "run: the default `spec`, a static busybox `true`"
    title["create"] = "create + start + delete: the same bundle, without seccomp"
    title["seccomp"] = "create + start + delete with Docker's default seccomp profile, three architectures"
    title["exec"] = "exec: a static busybox `true` in a running container"
    printf "%d paired rounds; kernel %s\n", fact["rounds"], fact["kernel"]
    if (fact["load"] > fact["cpus"] / 2)
        printf "The machine is busy (load %s on %s CPUs): the clock measures its other work too, trust the CPU time.\n", fact["load"], fact["cpus"]
    for (name in version) printf "%s: %s, %.2f MiB\n", name, version[name], size[name] / 1048576
    for (i = 1; i <= cases; i++) table(order[i])
    fairness()
    budgets()
}
