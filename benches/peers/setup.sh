# Sourced by models.sh and inference.sh: an interpreter, Inkstone's programs, the networks, and a folder for what is measured.
if [ -z "${PYTHON:-}" ]; then
  PYTHON=venv/bin/python
  [ -x "$PYTHON" ] || python3 -m venv venv
  "$PYTHON" -m pip install --quiet --requirement requirements.txt
fi
# Those that models.sh trains; inference.sh runs the Keras example's CNN, which run.sh trains, as well.
models="mlp lenet lenet_avg vgg resnet mobilenet"
if [[ " ${PEERS:-inkstone} " =~ " inkstone " ]]; then
  cargo build --release --quiet --manifest-path inkstone/Cargo.toml --target-dir inkstone/target
fi
scratch="$(mktemp -d)"
