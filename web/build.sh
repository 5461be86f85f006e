#!/usr/bin/env bash
# Builds the page into web/dist, a folder that any host can serve; with `serve` as an argument it is served, too.
#
# Needs Rust with the target wasm32-unknown-unknown, the tool wasm-bindgen in the version of the library, and npm. The first
# two are installed if they are missing. WASM_CARGO names another cargo for that target, WASM_BINDGEN another wasm-bindgen.
# The files of MNIST in the folder that INKSTONE_DATA names become part of the page. QUICK=1 builds in a third of the time what trains
# as well, but is larger.
set -euo pipefail
cd "$(dirname "$0")"
version=$(sed -n '/^name = "wasm-bindgen"$/{n;s/version = "\(.*\)"/\1/p}' ../Cargo.lock)
cargo=${WASM_CARGO:-cargo} bindgen=${WASM_BINDGEN:-wasm-bindgen}
target=$(cd .. && cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')

if [ -z "${WASM_CARGO:-}" ] && command -v rustup >/dev/null; then
  rustup target list --installed | grep -qx wasm32-unknown-unknown || rustup target add wasm32-unknown-unknown
fi
if ! "$bindgen" --version 2>/dev/null | grep -qxF "wasm-bindgen $version"; then
  echo "wasm-bindgen $version is not here: installing it into $target/wasm-bindgen"
  cargo install --quiet --locked --root "$target/wasm-bindgen" wasm-bindgen-cli --version "$version"
  bindgen=$target/wasm-bindgen/bin/wasm-bindgen
fi
[ -d node_modules/uplot ] || npm ci --silent --no-audit --no-fund

# For browsers with the usual vector instructions, and for those that have the relaxed ones too.
build() {
  RUSTFLAGS="-C target-feature=$1" "$cargo" build --quiet --locked --profile web --target wasm32-unknown-unknown --package inkstone-web
  "$bindgen" --target web --no-typescript --out-dir "$target/web" "$target/wasm32-unknown-unknown/web/inkstone_web.wasm"
  cp "$target/web/inkstone_web_bg.wasm" "dist/$2"
}
if [ -n "${QUICK:-}" ]; then export CARGO_PROFILE_WEB_LTO=off CARGO_PROFILE_WEB_CODEGEN_UNITS=16; fi
rm -rf dist
mkdir dist
build +simd128 inkstone_web.wasm
if [ -n "${QUICK:-}" ]; then
  cp dist/inkstone_web.wasm dist/inkstone_web_relaxed.wasm
else
  build +simd128,+relaxed-simd inkstone_web_relaxed.wasm
fi
cp "$target/web/inkstone_web.js" page/* node_modules/uplot/dist/uPlot.iife.min.js node_modules/uplot/dist/uPlot.min.css dist/
if [ -n "${INKSTONE_DATA:-}" ] && [ -f "$INKSTONE_DATA/train-images-idx3-ubyte.gz" ]; then
  mkdir dist/mnist
  cp "$INKSTONE_DATA"/{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz dist/mnist/
  if [ -d "$INKSTONE_DATA/fashion-mnist" ]; then cp -r "$INKSTONE_DATA/fashion-mnist" dist/; fi
fi

# What a visit takes: one of the two programs, and all pages.
size=0
for file in dist/inkstone_web.wasm dist/*.{js,css,html,svg}; do size=$((size + $(gzip -9 <"$file" | wc -c))); done
echo "The page is in web/dist: $size bytes gzipped."
if [ "${1:-}" = serve ]; then exec npx sirv dist --port "${PORT:-8000}" --host 127.0.0.1; fi
