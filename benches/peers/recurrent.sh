#!/usr/bin/env bash
# Trains a recurrent layer with a dense layer behind it on random sequences with Inkstone, PyTorch and Keras in turn, and prints a
# table of the medians of a step.
#
#   [SIZES="lstm:28:28:128:64 gru:784:1:128:64"] benches/peers/recurrent.sh [rounds]
#
# SIZES are cell:steps:features:units:batch. PEERS="inkstone torch" leaves Keras out.
#
# Wants Python 3, a Rust toolchain, and a quiet machine. PYTHON names an interpreter that has requirements.txt already, KERAS_PYTHON one
# with Keras and the backend that KERAS_BACKEND names, by default the same.
set -euo pipefail
cd "$(dirname "$0")"
source setup.sh
peers="${PEERS:-inkstone torch keras}"
sizes="${SIZES:-lstm:28:28:128:64 gru:28:28:128:64 simple:28:28:128:64 lstm:28:28:32:64 lstm:28:28:512:64 lstm:784:1:128:64}"
trap 'rm -r "$scratch"' EXIT
median() { awk '{ print $2 }' "$1" | sort -n | awk '{ a[NR] = $1 } END { if (NR) print (a[int((NR + 1) / 2)] + a[int(NR / 2) + 1]) / 2 }'; }
echo "| cell | steps x features | units | batch | Inkstone | PyTorch | ratio | Keras | ratio |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
for size in $sizes; do
  IFS=: read -r cell steps features units batch <<<"$size"
  for peer in inkstone torch keras; do : >"$scratch/$peer"; done
  for _ in $(seq "${1:-3}"); do
    for peer in $peers; do
      case "$peer" in
        inkstone) inkstone/target/release/peer-recurrent "$cell" "$steps" "$features" "$units" "$batch" ;;
        torch) "$PYTHON" torch_recurrent.py "$cell" "$steps" "$features" "$units" "$batch" ;;
        keras) "${KERAS_PYTHON:-$PYTHON}" keras_recurrent.py "$cell" "$steps" "$features" "$units" "$batch" 2>/dev/null ;;
      esac >>"$scratch/$peer"
    done
  done
  awk -v c="$cell" -v s="$steps x $features" -v u="$units" -v b="$batch" \
    -v o="$(median "$scratch/inkstone")" -v t="$(median "$scratch/torch")" -v k="$(median "$scratch/keras")" \
    'function ms(x) { return x == "" ? "" : sprintf("%.2f ms", x) }
     function ratio(x) { return x == "" || o == "" ? "" : sprintf("%.2f", x / o) }
     BEGIN { printf "| %s | %s | %d | %d | %s | %s | %s | %s | %s |\n", c, s, u, b, ms(o), ms(t), ratio(t), ms(k), ratio(k) }'
done
