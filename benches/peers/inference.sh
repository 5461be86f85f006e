#!/usr/bin/env bash
# Runs the networks of models.sh forward on 1 and on 128 random images with Inkstone, PyTorch and ONNX Runtime in turn, and prints a
# table of the milliseconds of a pass: of each round the median, of the rounds the shortest.
#
#   [MODELS="resnet mobilenet"] benches/peers/inference.sh [rounds]
#
# MODELS and PYTHON as in models.sh; PEERS="torch onnxruntime" leaves Inkstone out.
set -euo pipefail
cd "$(dirname "$0")"
source setup.sh
peers="${PEERS:-inkstone torch onnxruntime}"
trap 'rm -r "$scratch"' EXIT
echo "| | batch | ${peers// / | } |"
echo "| --- | --- |$(for _ in $peers; do printf ' --- |'; done)"
for model in ${MODELS:-$models}; do
  for batch in 1 128; do
    rm -f "$scratch"/*
    for _ in $(seq "${1:-3}"); do
      for peer in $peers; do
        case "$peer" in
          inkstone) inkstone/target/release/peer-inference "$model" "$batch" ;;
          torch | onnxruntime) "$PYTHON" torch_inference.py "$peer" "$model" "$batch" ;;
        esac >>"$scratch/$peer"
      done
    done
    printf '| %s | %d |' "$model" "$batch"
    for peer in $peers; do
      awk '/^ms/ { if (!n++ || $2 < least) least = $2 } END { printf " %.3f ms |", least }' "$scratch/$peer"
    done
    echo
  done
done
