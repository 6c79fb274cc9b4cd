#!/usr/bin/env bash
# Runs each fuzz target of the crate `clock` for a bounded time.
#
# usage: tools/fuzz.sh [seconds for each target, 30 unless given]
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-30}

# Without rustup there is no choosing a compiler; with it, a nightly one may be missing.
if ! rustup run nightly rustc --version >/dev/null 2>&1; then
    cat >&2 <<NOTE
**************************************************************************************
*  fuzz: there is no nightly compiler, which cargo-fuzz needs.                       *
*  NOTHING WAS FUZZED. Install one with 'rustup toolchain install nightly'.          *
**************************************************************************************
NOTE
    exit 1
fi

fuzz=$PWD/$(tools/get.sh cargo-fuzz)
cd clock/fuzz
for target in $("$fuzz" list --fuzz-dir .); do
    echo "fuzz: $target, for $seconds s" >&2
    rustup run nightly "$fuzz" run --fuzz-dir . "$target" -- -max_total_time="$seconds" -print_final_stats=1
done
