#!/bin/sh
# Builds the OCI runtime-tools validation programs from Debian's source package with Debian's Go, and prints
# where they are: each program, with `runtimetest` and the root filesystem that they take into containers.
#
# A second call costs nothing: the result is kept outside the checkout. The source is trixie's, which is
# newer than bookworm's and builds with bookworm's Go and Go packages. It comes by a list of sources of
# this script's own, and apt holds it against the signed index. Debian does not package tap-go: tap/ stands in.
set -eu

SOURCE=golang-github-opencontainers-runtime-tools=0.9.0.109.ge931285-1
SUITE=trixie
CACHE=${SKEP_CACHE:-/var/cache/skep}
MIRROR=${SKEP_MIRROR:-http://deb.debian.org/debian}
KEYS=/usr/share/keyrings/debian-archive-keyring.gpg

here=$(cd "$(dirname "$0")" && pwd)
recipe=$(cat "$here/build.sh" "$here/tap/tap.go" | sha256sum | cut -c 1-12)
programs=$CACHE/conformance/${SOURCE#*=}-$recipe

die() {
    echo "conformance: $*" >&2
    exit 1
}

own_apt() {
    apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=- \
        -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root "$@"
}

# The tarball alone: the packaging changes no program.
fetch() {
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/tools"
    echo "deb-src [signed-by=$KEYS] $MIRROR $SUITE main" >"$work/sources.list"
    (cd "$work" && own_apt update && own_apt source --tar-only "$SOURCE") >&2
    tar -xf "$work"/*.orig.tar.* -C "$work/tools" --strip-components=1
}

build() {
    packages=$work/go/src/github.com
    mkdir -p "$packages/opencontainers" "$packages/mndrix" "$work/bin"
    mv "$work/tools" "$packages/opencontainers/runtime-tools"
    cp -R "$here/tap" "$packages/mndrix/tap-go"
    cd "$packages/opencontainers/runtime-tools"
    env GO111MODULE=off GOPATH="$work/go:/usr/share/gocode" GOFLAGS='' GOCACHE="$work/gocache" CGO_ENABLED=0 \
        go build -trimpath -ldflags '-s -w' -o "$work/bin/" ./cmd/runtimetest ./validation/... >&2
    cp rootfs-amd64.tar.gz "$work/bin/"
    chmod -R a+rX "$work/bin"
}

if [ ! -d "$programs" ]; then
    [ -w "$(dirname "$CACHE")" ] || die "making $programs needs root"
    command -v go >/dev/null || die "go is missing: apt-get install golang-go"
    mkdir -p "$CACHE/conformance"
    exec 9>"$CACHE/conformance.lock"
    flock 9
    work=$(mktemp -d "$CACHE/conformance/new-XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    if [ ! -d "$programs" ]; then
        echo "conformance: building $programs (once)" >&2
        fetch || die "no source: apt-get source $SOURCE from $MIRROR $SUITE"
        build || die "the programs do not build"
        mv "$work/bin" "$programs"
    fi
fi
echo "$programs"
