#!/usr/bin/env bash
# Says what a change costs: builds two commits side by side, runs the same trainings with both in turn, and prints for each
# training the median epoch of both, how far their epochs lie apart, and the ratio of the medians.
#
#   INKSTONE_DATA=folder benches/compare-commits.sh before after [rounds]
#
# JOBS names the trainings, as network:batch; by default the Keras example's CNN on MNIST at batch sizes 32 and 128, and an MLP, a
# VGG-like network and a ResNet on random images. A ratio below 1 says that the commit `after` is the faster one; it says
# nothing where it is nearer to 1 than the spread of either side. Each commit runs its own programs of benches/peers/inkstone.
#
# Wants the MNIST files for the CNN, a Rust toolchain, and a quiet machine.
set -euo pipefail
if [ $# -lt 2 ]; then
  echo "usage: benches/compare-commits.sh before after [rounds]" >&2
  exit 1
fi
root="$(cd "$(dirname "$0")/.." && pwd)"
rounds="${3:-5}"
jobs="${JOBS:-cnn:32 cnn:128 mlp:32 mlp:128 vgg:32 resnet:32}"
data=""
if [[ $jobs =~ cnn: ]]; then
  data="$(cd "${INKSTONE_DATA:-$root/data}" && pwd)"
fi
before="$(git -C "$root" rev-parse --verify "$1^{commit}")"
after="$(git -C "$root" rev-parse --verify "$2^{commit}")"

scratch="$(mktemp -d)"
clean_up() {
  for side in before after; do
    git -C "$root" worktree remove --force "$scratch/$side" 2>/dev/null || true
  done
  rm -r "$scratch"
}
trap clean_up EXIT

# The programs that the jobs need. Both sides build in one folder, CARGO_TARGET_DIR if it is set, so that dependencies are
# compiled once.
target="${CARGO_TARGET_DIR:-$scratch/target}"
programs=()
for job in $jobs; do
  case "$job" in cnn:*) program=peer-inkstone ;; *) program=peer-models ;; esac
  [[ " ${programs[*]} " == *" $program "* ]] || programs+=("$program")
done

build() {
  git -C "$root" worktree add --quiet --detach "$scratch/$1" "$2"
  echo "building $1: $(git -C "$root" log -1 --format='%h %s' "$2")" >&2
  cargo build --release --quiet --manifest-path "$scratch/$1/benches/peers/inkstone/Cargo.toml" \
    --target-dir "$target" $(printf -- '--bin %s ' "${programs[@]}")
  mkdir "$scratch/programs.$1"
  for program in "${programs[@]}"; do cp "$target/release/$program" "$scratch/programs.$1"; done
}
build before "$before"
build after "$after"

# One run of a training, whose epochs are added to what is known of that side.
run() {
  local side="$1" network="$2" batch="$3" programs="$scratch/programs.$1"
  case "$network" in
    cnn) "$programs/peer-inkstone" "$data" 2 "$batch" | awk '/^epoch/ { print "epoch", $3 }' ;;
    *) "$programs/peer-models" "$network" "$batch" | awk '/^parameters/ { print } /^epoch/ { print "epoch", $2 }' ;;
  esac >>"$scratch/$side.$network.$batch"
}

# The median epoch of one side, and how far the quickest and the slowest lie from it.
figures() {
  awk '/^epoch/ { print $2 }' "$1" | sort -n | awk '{ a[NR] = $1 } END {
    median = (a[int((NR + 1) / 2)] + a[int(NR / 2) + 1]) / 2
    print median, (a[1] / median - 1) * 100, (a[NR] / median - 1) * 100 }'
}

echo "| training | batch | before | spread | after | spread | ratio |"
echo "| --- | --- | --- | --- | --- | --- | --- |"
for job in $jobs; do
  network="${job%:*}" batch="${job#*:}"
  for round in $(seq "$rounds"); do
    # In turn, so that neither side is always the first.
    if ((round % 2)); then order="before after"; else order="after before"; fi
    for side in $order; do run "$side" "$network" "$batch"; done
  done
  counts="$(awk '/^parameters/ { print $2 }' "$scratch"/{before,after}."$network.$batch" | sort -u | wc -l)"
  if [ "$counts" -gt 1 ]; then
    echo "$network: both sides must train the same network, but their numbers of parameters differ" >&2
    exit 1
  fi
  read -r old old_low old_high < <(figures "$scratch/before.$network.$batch")
  read -r new new_low new_high < <(figures "$scratch/after.$network.$batch")
  awk -v n="$network" -v b="$batch" -v o="$old" -v ol="$old_low" -v oh="$old_high" -v a="$new" -v al="$new_low" -v ah="$new_high" \
    'BEGIN { printf "| %s | %d | %.3f s | %+.0f to %+.0f %% | %.3f s | %+.0f to %+.0f %% | %.3f |\n", n, b, o, ol, oh, a, al, ah, a / o }'
done
