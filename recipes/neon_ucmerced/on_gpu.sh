#!/usr/bin/env bash
# Train for some minutes on another machine, one with a GPU, and bring the run folder back.
#
#   recipes/neon_ucmerced/on_gpu.sh HOST MINUTES DATASET RUN [OPTION of specgan train]...
#   recipes/neon_ucmerced/on_gpu.sh gpu1 10 dataset runs/fidelity --config recipes/neon_ucmerced/fidelity.toml
#
# HOST is what ssh takes, and has Python 3.11, rsync and a driver. The same command goes on with the
# run, here or there: --resume is given, and the folder holds all that it needs. Files that OPTIONs
# name lie in this checkout. Larger batches suit a GPU: begin a run of its own with
# --init OTHER_RUN --set stages.0.pixels=1000000 --set data.workers=12.
set -euo pipefail
[ $# -ge 4 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
host=$1 minutes=$2 dataset=$3 run=$4
shift 4
checkout=$(cd "$(dirname "$0")/../.." && pwd)
there=specgan_on_gpu

ssh "$host" "mkdir -p $there/runs"
rsync -a --delete --exclude .git --exclude '/.venv*' --exclude /runs --exclude /site \
  "$checkout/" "$host:$there/"
rsync -a --delete "$dataset/" "$host:$there/runs/dataset/"
mkdir -p "$run"
rsync -a --delete "$run/" "$host:$there/runs/run/"

back() { rsync -a "$host:$there/runs/run/" "$run/"; }
trap back EXIT # what was reached comes back whatever happens
ssh "$host" "cd $there && { [ -x .venv/bin/specgan ] || { python3 -m venv .venv \
  && .venv/bin/python -m pip install --quiet -c constraints.txt -e .; }; } \
  && .venv/bin/specgan train runs/dataset -o runs/run --resume --max-minutes $minutes \
  ${*@Q}"
