#!/usr/bin/env bash
# Runs the Keras example's CNN and the networks of models.sh forward on 1 and on 10,000 random images with Inkstone, PyTorch and
# ONNX Runtime in turn, and prints a table of the milliseconds of a pass: of each round the median, of the rounds the shortest.
# ONNX Runtime runs the very model that Inkstone exports. One image goes through one thread, 10,000 through as many as there are.
#
#   [MODELS="resnet mobilenet"] [COUNTS="1 128"] benches/peers/inference.sh [rounds]
#
# MODELS and PYTHON as in models.sh; COUNTS are the numbers of images; PEERS="inkstone onnxruntime" leaves PyTorch out.
set -euo pipefail
cd "$(dirname "$0")"
peers="${PEERS:-inkstone torch onnxruntime}"
# ONNX Runtime's models are Inkstone's.
PEERS=inkstone source setup.sh
trap 'rm -r "$scratch"' EXIT
inkstone=inkstone/target/release/peer-inference
echo "| | images | ${peers// / | } |$(for peer in $peers; do [ "$peer" = inkstone ] || printf " against %s |" "$peer"; done)"
echo "| --- | --- |$(for _ in $peers; do printf ' --- |'; done)$(for peer in $peers; do [ "$peer" = inkstone ] || printf ' --- |'; done)"
for model in ${MODELS:-cnn $models}; do
  "$inkstone" "$model" export "$scratch"
  for count in ${COUNTS:-1 10000}; do
    for peer in $peers; do rm -f "$scratch/$peer"; done
    for _ in $(seq "${1:-3}"); do
      for peer in $peers; do
        case "$peer" in
          inkstone) "$inkstone" "$model" "$count" ;;
          torch | onnxruntime) "$PYTHON" torch_inference.py "$peer" "$model" "$count" "$scratch" ;;
          *) echo "PEERS: expected inkstone, torch or onnxruntime, got $peer" >&2 && exit 1 ;;
        esac >>"$scratch/$peer"
      done
    done
    least() { awk '/^ms/ { if (!n++ || $2 < least) least = $2 } END { print least }' "$scratch/$1"; }
    printf '| %s | %d |' "$model" "$count"
    for peer in $peers; do printf ' %.3f ms |' "$(least "$peer")"; done
    for peer in $peers; do
      if [ "$peer" != inkstone ] && [ -f "$scratch/inkstone" ]; then
        awk -v o="$(least inkstone)" -v t="$(least "$peer")" 'BEGIN { printf " %.2f |", t / o }'
      fi
    done
    echo
  done
done
