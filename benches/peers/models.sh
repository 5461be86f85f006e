#!/usr/bin/env bash
# Trains three other models (an MLP 784-512-512-10, a LeNet-5, a VGG-like network on 32x32x3) on random images with Inkstone
# and PyTorch in turn, at batch sizes 32 and 128, and prints a table of medians.
#
#   benches/peers/models.sh [rounds]
#
# Wants Python 3, a Rust toolchain, and a quiet machine. PYTHON names an interpreter that has requirements.txt already.
set -euo pipefail
cd "$(dirname "$0")"
if [ -z "${PYTHON:-}" ]; then
  PYTHON=venv/bin/python
  [ -x "$PYTHON" ] || python3 -m venv venv
  "$PYTHON" -m pip install --quiet --requirement requirements.txt
fi
cargo build --release --quiet --manifest-path inkstone/Cargo.toml
median() { awk '/^epoch/ { print $2 }' "$1" | sort -n | awk '{ a[NR] = $1 } END { print (a[int((NR + 1) / 2)] + a[int(NR / 2) + 1]) / 2 }'; }
scratch="$(mktemp -d)"
trap 'rm -r "$scratch"' EXIT
echo "| | batch | Inkstone | PyTorch | ratio |"
echo "| --- | --- | --- | --- | --- |"
for model in mlp lenet vgg; do
  for batch in 32 128; do
    : >"$scratch/ours" && : >"$scratch/theirs"
    for _ in $(seq "${1:-3}"); do
      inkstone/target/release/peer-models "$model" "$batch" >>"$scratch/ours"
      "$PYTHON" torch_models.py "$model" "$batch" >>"$scratch/theirs"
    done
    awk -v m="$model" -v b="$batch" -v o="$(median "$scratch/ours")" -v t="$(median "$scratch/theirs")" \
      'BEGIN { printf "| %s | %d | %.3f s | %.3f s | %.2f |\n", m, b, o, t, t / o }'
  done
done
