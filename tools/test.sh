#!/usr/bin/env bash
# Runs every test: first those of the libraries and programs and in the documentation, as `cargo test` does, then the
# binaries below */tests/, a few at once, since they wait most of the time. What each of these says is shown
# when it has ended, in one piece; what failed is shown once more at the end, and then how many tests there were.
#
# usage: tools/test.sh [OPTION OF CARGO…]
#
# TMINUS_TESTS_AT_ONCE says how many binaries run at once (3), RUST_TEST_THREADS how many tests of each do. The one with a
# node runs alone: what is beside it is taken for what its pods have too little CPU for, and rightly.
set -euo pipefail
cd "$(dirname "$0")/.."

# Pods on a real node, which start late where others take their cores.
readonly ALONE=kubernetes_runs

# The longest of the others: whatever begins last is waited for alone.
readonly LONGEST=(kubernetes_scheduler faults kubernetes_agent model agent_clock_run cluster_node bad_input)

# Each name of a binary below */tests/, as cargo finds them: a file, or a folder with a main.rs.
names() {
    local path
    for path in */tests/*.rs */tests/*/main.rs; do
        path=${path%/main.rs}
        basename "$path" .rs
    done
}

# The same, in the order in which they are begun.
in_order() {
    printf '%s\n' "$ALONE" "${LONGEST[@]}"
    names | grep --invert-match --line-regexp --fixed-strings "$(printf '%s\n' "$ALONE" "${LONGEST[@]}")"
}

# one NAME OPTION…: runs one binary, and shows what it said when nobody else is showing anything.
one() {
    local name=$1 began=$SECONDS result=ok
    shift
    cargo test --workspace "$@" --test "$name" >"$LOGS/$name" 2>&1 || result=FAILED
    # It must have come to its end, and have had tests.
    grep --quiet '^test result: .* [1-9][0-9]* passed' "$LOGS/$name" || result=FAILED
    [[ $result == ok ]] || touch "$LOGS/$name.failed"
    (
        flock 9
        echo "=== $name: $result after $((SECONDS - began)) s"
        cat "$LOGS/$name"
    ) 9>"$LOGS/.lock"
}
export -f one

LOGS=$(mktemp -d)
export LOGS
trap 'rm -rf "$LOGS"' EXIT

# Every selection of packages and targets has the features of the whole workspace: nothing is built twice.
failed=()
CARGO_TERM_COLOR=never cargo test --workspace "$@" --no-run 2>&1 | tee "$LOGS/built"
cargo test --workspace "$@" --no-fail-fast --lib --bins 2>&1 | tee "$LOGS/units" || failed+=(units)
cargo test --workspace "$@" --no-fail-fast --doc 2>&1 | tee "$LOGS/docs" || failed+=(docs)

mapfile -t names < <(in_order)
# Nor is one left out that cargo finds elsewhere.
built=$(grep --count '^ *Executable tests/' "$LOGS/built") || true
((built == ${#names[@]})) || failed+=("built: $built binaries, of which ${#names[@]} are found below */tests/")
# In the foreground, so that an interrupt reaches all of them; they go on where one has failed.
one "$ALONE" "$@"
printf '%s\n' "${names[@]:1}" |
    xargs --max-args=1 --max-procs="${TMINUS_TESTS_AT_ONCE:-3}" bash -c 'one "${!#}" "${@:1:$#-1}"' one "$@" || true

for name in "${names[@]}"; do
    if [[ ! -e $LOGS/$name || -e $LOGS/$name.failed ]]; then failed+=("$name"); fi
done
for name in "${failed[@]}"; do
    echo "=== once more, what failed: $name"
    if [[ -e $LOGS/$name ]]; then cat "$LOGS/$name"; fi
done
cat "$LOGS"/* | awk '/^test result: / { passed += $4; failed += $6; ignored += $8 }
    END { print "=== " passed " tests passed, " failed " failed, " ignored " ignored" }'
echo "=== ${#names[@]} binaries below */tests/; of all, ${#failed[@]} failed: ${failed[*]:-none}"
((${#failed[@]} == 0))
