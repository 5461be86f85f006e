#!/usr/bin/env bash
# Checks the files of this folder without a container engine: `files` against their schemas, `image` by building a static program from what
# the image is built from, and running it in a root that is as empty as the image's; both without an argument. INKSTONE_DEPLOY_PYTHON is the
# folder of a virtual environment for the checkers, target/deploy-python if it is not set. `.ci/run` has `files` alone: `image` compiles
# all crates once more, 155 seconds of processor time.
set -euo pipefail
cd "$(dirname "$0")/../.."
deploy=serve/deploy
target="${CARGO_TARGET_DIR:-target}"

step() { printf '\n== %s\n' "$*"; }

# What the image is built from: what .dockerignore leaves.
context() {
  # At one place, and with the times of the files, so that nothing is built twice.
  rm -rf "$target/static/context"
  mkdir -p "$target/static/context"
  # Its patterns without `!` are `*` alone, so what is left is what the others name.
  grep -v -e '^#' -e '^!' -e '^$' .dockerignore | cmp - <(echo '*')
  # shellcheck disable=SC2046 # They are patterns.
  tar -c $(sed -n 's/^!//p' .dockerignore) | tar -xC "$target/static/context"
}

files() {
  local venv="${INKSTONE_DEPLOY_PYTHON:-$target/deploy-python}"
  [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$deploy/requirements.txt"
  step "Dockerfile, and that all packages of the workspace are there for it"
  context
  (cd "$target/static/context" && cargo metadata --locked --no-deps --format-version 1 >/dev/null)
  "$venv/bin/hadolint" --strict-labels --failure-threshold style "$deploy/Dockerfile"
  step "compose.yaml"
  "$venv/bin/python" -c 'import compose_spec, sys; compose_spec.PyCompose.from_yaml(open(sys.argv[1]).read()).validate()' \
    "$deploy/compose.yaml"
  "$venv/bin/compose-lint" --fail-on low --config "$deploy/compose-lint.yaml" --strict-config "$deploy/compose.yaml"
  step "kubernetes"
  # Of a Kustomization there is no schema in Kubernetes' own.
  find "$deploy/kubernetes" -name '*.yaml' ! -name kustomization.yaml -print0 |
    xargs -0 "$venv/bin/kubernetes-validate" --strict --quiet
  local file
  for file in "$deploy"/kubernetes/*.yaml; do
    file="$(basename "$file")"
    [ "$file" = kustomization.yaml ] || grep -qx "  - $file" "$deploy/kubernetes/kustomization.yaml" ||
      { echo "kustomization.yaml does not name $file" >&2; exit 1; }
  done
  if command -v kubectl >/dev/null; then
    kubectl kustomize "$deploy/kubernetes" >"$target/kustomized.yaml"
    "$venv/bin/kubernetes-validate" --strict --quiet "$target/kustomized.yaml"
    grep -q 'image: inkstone-serve:' "$target/kustomized.yaml"
  else
    echo "NOT TESTED: what kustomize makes of it, as there is no kubectl"
  fi
}

image() {
  if [ "$(uname -sm)" != "Linux x86_64" ] || [ "$(id -u)" != 0 ] || ! unshare --mount --net true; then
    echo "NOT TESTED: a static program in an empty root, which takes Linux x86_64, root, and the right to mount"
    return
  fi
  local triple=x86_64-unknown-linux-gnu folder
  target="$(mkdir -p "$target" && cd "$target" && pwd)"
  folder="$(mktemp -d)"
  # shellcheck disable=SC2064 # The folder of now.
  trap "rm -rf '$folder'" EXIT
  step "A static program, from what .dockerignore leaves"
  context
  # How fast it is does not matter here; how long it takes to compile does.
  (cd "$target/static/context" &&
    export CARGO_PROFILE_DEV_OPT_LEVEL=0 CARGO_PROFILE_DEV_DEBUG=false RUSTFLAGS='-C target-feature=+crt-static' &&
    cargo build --locked --package inkstone-serve --profile dev --target "$triple" \
      --target-dir "$target/static")
  local binary="$target/static/$triple/debug/inkstone-serve"
  if readelf -lW "$binary" | grep -q INTERP; then
    echo "$binary has an interpreter: it is not static" >&2
    exit 1
  fi
  step "The program in an empty root that cannot be written to, as a user without rights"
  mkdir -p "$folder/root/models"
  chmod 755 "$folder" "$folder/root" "$folder/root/models"
  cp "$binary" "$folder/root/inkstone-serve"
  cp serve/tests/fixtures/iris.safetensors "$folder/root/models/"
  "$binary" key check >"$folder/key" 2>/dev/null
  sed -n 2p "$folder/key" >"$folder/root/keys"
  chmod 444 "$folder/root/models/iris.safetensors" "$folder/root/keys"
  # In a mount namespace of its own, where the root is mounted once more, read-only.
  unshare --mount --net -- bash -euc '
    root="$1"; key="$2"
    ip link set lo up 2>/dev/null || ifconfig lo up
    mount --bind "$root" "$root"
    mount -o remount,bind,ro,nosuid,nodev "$root"
    if touch "$root/x" 2>/dev/null; then echo "the root can be written to" >&2; exit 1; fi
    inside=(chroot --userspec=65532:65532 --groups= "$root" /inkstone-serve)
    "${inside[@]}" /models --listen 0.0.0.0:8501 --keys /keys &
    server=$!
    trap "kill $server" EXIT
    tries=0
    until "${inside[@]}" health 0.0.0.0:8501; do
      tries=$((tries + 1))
      [ "$tries" -lt 100 ] || { echo "the server is not ready" >&2; exit 1; }
      sleep 0.1
    done
    grep -q "^Uid:[[:space:]]*65532" "/proc/$server/status"
    grep -q "^CapEff:[[:space:]]*0*$" "/proc/$server/status"
    answer="$(curl -sS -H "X-API-Key: $key" -d "{\"instances\": [[5.1, 3.5, 1.4, 0.2]]}" http://127.0.0.1:8501/v1/models/iris:predict)"
    echo "$answer"
    grep -q "^{\"predictions\":\[\[0\." <<<"$answer"
    trap - EXIT
    kill -TERM "$server"
    wait "$server"
  ' bash "$folder/root" "$(sed -n 1p "$folder/key")"
}

case "${1:-all}" in
  files) files ;;
  image) image ;;
  all) files; image ;;
  *) echo "usage: $0 [files|image]" >&2; exit 2 ;;
esac
