#!/usr/bin/env bash
# Trains the same network on the same data with Inkstone, PyTorch, Keras, RustyML, Burn and Candle in turn, and prints a table of
# medians.
#
#   INKSTONE_DATA=folder benches/peers/run.sh [epochs] [batch size] [rounds]
#
# PEERS names those to run, in their order in the table, which compares them with the first; by default all six:
# PEERS="inkstone torch keras rustyml burn candle". Burn and Candle take far longer than the rest, and minutes to build.
#
# Wants the MNIST files, Python 3, a Rust toolchain, and a quiet machine: the peers' threads spin, and any other busy process
# makes them several times slower. PyTorch and Keras are installed into a venv, unless PYTHON names an interpreter that has
# requirements.txt already.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
data="$(cd "${INKSTONE_DATA:-$here/../../data}" && pwd)"
cd "$here"
peers="${PEERS:-inkstone torch keras rustyml burn candle}"
# compare.py needs Python alone.
if [ -z "${PYTHON:-}" ]; then
  PYTHON=python3
  if [[ $peers =~ torch|keras ]]; then
    PYTHON="$here/venv/bin/python"
    [ -x "$PYTHON" ] || python3 -m venv venv
    "$PYTHON" -m pip install --quiet --requirement requirements.txt
  fi
fi

build() { cargo build --release --quiet --manifest-path "$1/Cargo.toml" --target-dir "$1/target"; }
# As Candle's own repository builds; Inkstone chooses its instructions when it runs.
build_native() { RUSTFLAGS="${RUSTFLAGS:-} -C target-cpu=native" build "$1"; }

commands=()
for peer in $peers; do
  case "$peer" in
    inkstone)
      build inkstone
      commands+=("Inkstone=inkstone/target/release/peer-inkstone")
      ;;
    torch) commands+=("PyTorch=$PYTHON torch_mnist.py") ;;
    keras) commands+=("Keras (TensorFlow)=$PYTHON keras_mnist.py") ;;
    rustyml)
      build_native rustyml
      commands+=("RustyML=rustyml/target/release/peer-rustyml")
      ;;
    burn)
      build_native burn
      commands+=("Burn (flex)=burn/target/release/peer-burn")
      ;;
    candle)
      build_native candle
      commands+=("Candle=candle/target/release/peer-candle")
      ;;
    *)
      echo "PEERS: expected inkstone, torch, keras, rustyml, burn or candle, got $peer" >&2
      exit 1
      ;;
  esac
done
"$PYTHON" compare.py "$data" "${1:-3}" "${2:-32}" "${3:-3}" "${commands[@]}"
