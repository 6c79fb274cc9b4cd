#!/usr/bin/env bash
# Starts four real k6 runners at one instant, against a small HTTP target of ours on a free loopback port.
set -euo pipefail
cd "$(dirname "$0")/.."

k6=$(tools/get.sh k6-v1)
cargo build --release ${CI:+--locked} --package tminus-agent --package tminus-scheduler \
    --package tminus-tests --bin tminus-agent --bin tminus-scheduler --bin load-target

# The target ends when its standard input closes, so it goes even if this script is killed.
coproc target { exec target/release/load-target; }
# shellcheck disable=SC2154 # bash names target_PID after the coproc
trap '[[ -z ${target_PID:-} ]] || { kill "$target_PID"; wait "$target_PID" || true; }' EXIT
read -r url <&"${target[0]}"

# k6 reports its use to its makers over the internet, which can hold up its exit: not for a demo.
export TARGET=$url K6_NO_USAGE_REPORT=true
command=(
    target/release/tminus-scheduler local --runners 4 --first-requests "$url/first-requests"
    -- "$k6" run examples/checkout.js
)
printf '\n$ TARGET=%s %s\n\n' "$url" "${command[*]}"
"${command[@]}"
