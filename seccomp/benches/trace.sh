#!/bin/sh
# Makes trace.txt anew: the system calls of a few programs, how often each is made. Needs strace, busybox, python3, node, git, cargo.
# Prints `COUNT NAME [ARG0 ARG1 ARG2]`, with arguments for the calls that engines' profiles look at the arguments of.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

trace() {
    strace -f -qq -e signal=none -e raw=all -o "$1.log" sh -c "$2" >/dev/null
}

cat >http_python.py <<'END'
import http.server, threading, urllib.request
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
server.RequestHandlerClass.log_message = lambda *rest: None
threading.Thread(target=server.serve_forever, daemon=True).start()
for _ in range(200):
    urllib.request.urlopen("http://127.0.0.1:%d/http_python.py" % server.server_port).read()
server.shutdown()
END
cat >http_node.js <<'END'
const fs = require("fs"), http = require("http");
const server = http.createServer((request, response) => response.end(fs.readFileSync("/etc/hosts")));
server.listen(0, async () => {
    for (let i = 0; i < 200; i++)
        await new Promise(done => http.get({ port: server.address().port }, response => response.on("data", () => {}).on("end", done)));
    server.close();
});
END
cargo new -q --vcs none hello

trace sh 'for i in $(seq 50); do echo $i | busybox sed s/1/2/; busybox ls -lR /etc/apt; done'
trace python 'python3 -c "import json, sqlite3, asyncio, multiprocessing, subprocess; subprocess.run([\"true\"]); sqlite3.connect(\":memory:\")"'
trace http_python 'python3 http_python.py'
trace http_node 'node http_node.js'
trace cargo 'cd hello && CARGO_TARGET_DIR=target cargo build -q'
trace git 'git init -q . && git add hello && git -c user.name=a -c user.email=a commit -qm a && git log --stat'
trace apt 'apt-get -s install hello'
trace tar 'tar -C /usr/share/doc/apt -cz . | tar -tz'

awk '
    { sub(/^[0-9]+ +/, "") }
    /resumed>|^[+?]/ || !/^[a-z0-9_]+\(/ { next }
    {
        name = $0; sub(/\(.*/, "", name)
        args = $0; sub(/^[^(]*\(/, "", args); gsub(/[^0-9a-fx]+/, " ", args)
        split(args, arg, " ")
        if (name ~ /^(clone|personality|socket)$/) name = name " " arg[1] " " arg[2] " " arg[3]
        count[name]++
    }
    END { for (name in count) print count[name], name }
' ./*.log | sort -k1,1nr -k2
