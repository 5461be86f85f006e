#!/usr/bin/env bash
# Trains other networks on random images with Inkstone and PyTorch in turn, at batch sizes 32 and 128, and prints a table of
# medians: of an epoch, and of a step.
#
#   [MODELS="resnet mobilenet"] benches/peers/models.sh [rounds]
#
# MODELS names those of torch_networks.py, by default all: an MLP 784-512-512-10, a LeNet-5 and one with average pooling and tanh, a
# VGG-like network on 32x32x3, a ResNet-14 and a network of depthwise-separable blocks, both with batch normalization.
# PEERS=torch measures PyTorch alone. Fails if the networks have different numbers of parameters.
#
# Wants Python 3, a Rust toolchain, and a quiet machine. PYTHON names an interpreter that has requirements.txt already.
set -euo pipefail
cd "$(dirname "$0")"
source setup.sh
peers="${PEERS:-inkstone torch}"
trap 'rm -r "$scratch"' EXIT
# The median of the numbers behind a word in what a peer has printed.
median() { awk -v word="$2" '{ for (i = 1; i < NF; i++) if ($i == word) print $(i + 1) }' "$1" | sort -n |
  awk '{ a[NR] = $1 } END { if (NR) print (a[int((NR + 1) / 2)] + a[int(NR / 2) + 1]) / 2 }'; }
echo "| | parameters | batch | Inkstone | a step | PyTorch | a step | ratio |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- |"
for model in ${MODELS:-$models}; do
  for batch in 32 128; do
    : >"$scratch/inkstone" && : >"$scratch/torch"
    for _ in $(seq "${1:-3}"); do
      for peer in $peers; do
        case "$peer" in
          inkstone) inkstone/target/release/peer-models "$model" "$batch" ;;
          torch) "$PYTHON" torch_models.py "$model" "$batch" ;;
        esac >>"$scratch/$peer"
      done
    done
    counts="$(cat "$scratch"/* | awk '/^parameters/ { print $2 }' | sort -u)"
    [ "$(wc -l <<<"$counts")" = 1 ] || { echo "$model: parameters differ: $counts" >&2 && exit 1; }
    awk -v m="$model" -v n="$counts" -v b="$batch" \
      -v o="$(median "$scratch/inkstone" epoch)" -v os="$(median "$scratch/inkstone" step)" \
      -v t="$(median "$scratch/torch" epoch)" -v ts="$(median "$scratch/torch" step)" \
      'function figure(x, unit, digits) { return x == "" ? "" : sprintf("%." digits "f " unit, x) }
       BEGIN { printf "| %s | %d | %d | %s | %s | %s | %s | %s |\n", m, n, b, figure(o, "s", 3), figure(os, "ms", 2),
         figure(t, "s", 3), figure(ts, "ms", 2), (o == "" || t == "") ? "" : sprintf("%.2f", t / o) }'
  done
done
