#!/usr/bin/env bash
# Requests a second and latencies of inkstone-serve, beside FastAPI with ONNX Runtime on the same model, in turn.
# Usage: serve/benches/load.sh MODEL.safetensors MODEL.onnx [SECONDS]
# Needs MNIST (INKSTONE_DATA), `wrk`, `cargo build --release -p inkstone-serve`, and a Python (PYTHON) with fastapi, uvicorn[standard], orjson and onnxruntime.
set -euo pipefail
model=$(realpath "$1")
MODEL=$(realpath "$2")
seconds=${3:-60}
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
server=${SERVER:-$here/../../target/release/inkstone-serve}
BODY=$(mktemp)
export MODEL BODY
# The first of MNIST's test images.
"$python" - "${INKSTONE_DATA:?names the folder of the MNIST files}" <<'END' >"$BODY"
import gzip, json, os, sys
path = os.path.join(sys.argv[1], "t10k-images-idx3-ubyte")
data = open(path, "rb").read(16 + 784) if os.path.exists(path) else gzip.open(path + ".gz").read(16 + 784)
image = [[[data[16 + 28 * y + x] / 255] for x in range(28)] for y in range(28)]
print(json.dumps({"instances": [image]}))
END
"$server" "digits=$model" --listen 127.0.0.1:8599 2>/dev/null &
ours=$!
(cd "$here/peers" && exec "$python" -m uvicorn fastapi_onnx:app --port 8600 --workers "$(nproc)" --log-level warning) 2>/dev/null &
theirs=$!
trap 'kill $ours $theirs; rm "$BODY"' EXIT
for port in 8599 8600; do
  until curl --silent --output /dev/null --data "@$BODY" "http://127.0.0.1:$port/v1/models/digits:predict"; do sleep 0.2; done
done
for connections in 1 16 256; do
  for port in 8599 8600; do
    echo "$([ $port = 8599 ] && echo inkstone-serve || echo FastAPI), $connections connections:"
    wrk -t$((connections < 2 ? 1 : 2)) -c$connections -d"${seconds}s" --latency -s "$here/peers/post.lua" "http://127.0.0.1:$port/v1/models/digits:predict" |
      grep -E '^ +(50|99)%|Requests/sec|Non-2xx|Socket'
  done
done
