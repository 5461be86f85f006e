#!/usr/bin/env bash
# Fuzzes one target with its limits: `fuzz/run.sh TARGET [SECONDS]`, an hour if nothing is said.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:?which of fuzz/fuzz_targets} seconds=${2:-3600}

# MiB in all and of one allocation. The targets hold each case to less, by its length; this ends what is out of bounds before that is known.
case $target in
  csv | npz) rss=2048 malloc=512 length=4096 ;;
  onnx) rss=2048 malloc=256 length=8192 ;;
  keras) rss=2048 malloc=256 length=32768 ;;
  picture) rss=1024 malloc=64 length=4096 ;;
  *) rss=1024 malloc=256 length=8192 ;;
esac
mkdir -p "fuzz/corpus/$target"
exec cargo +nightly fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
  -max_total_time="$seconds" -timeout=10 -max_len=$length -rss_limit_mb=$rss -malloc_limit_mb=$malloc -print_final_stats=1
