#!/usr/bin/env bash
# Trains the same network on the same data with Inkstone, PyTorch and Keras in turn, and prints a table of medians.
#
#   INKSTONE_DATA=folder benches/peers/run.sh [epochs] [batch size] [rounds]
#
# Wants the MNIST files, Python 3 with venv, a Rust toolchain, and a quiet machine: the peers' threads spin, and any other
# busy process makes them several times slower. PYTHON names an interpreter that has requirements.txt already.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
data="$(cd "${INKSTONE_DATA:-$here/../../data}" && pwd)"
cd "$here"
if [ -z "${PYTHON:-}" ]; then
  PYTHON="$here/venv/bin/python"
  [ -x "$PYTHON" ] || python3 -m venv venv
  "$PYTHON" -m pip install --quiet --requirement requirements.txt
fi
cargo build --release --quiet --manifest-path inkstone/Cargo.toml
"$PYTHON" compare.py "$data" "${1:-3}" "${2:-32}" "${3:-3}" \
  "Inkstone=inkstone/target/release/peer-inkstone" \
  "PyTorch=$PYTHON torch_mnist.py" \
  "Keras (TensorFlow)=$PYTHON keras_mnist.py"
