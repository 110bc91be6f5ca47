"""What the fuzzing reads: the inputs of inputs.py, sensors' products, checkpoints, half a run."""

import os
import signal
import sys
from pathlib import Path

import harness
import inputs
import numpy as np
from inputs import Job

from support.rasters import NORTH_UP

sys.path.append(str(harness.ROOT / "tests" / "cubes"))


def write_inputs(folder: Path) -> None:
    """Write every input into a folder."""
    import test_sensors as sensors
    import torch

    inputs.write_inputs(folder)
    values = sensors.numbers(6)
    sensors.make_prisma(folder / "prisma.he5", values[..., :4].astype("uint16"), values[..., :3])
    rows, cols = np.mgrid[1 : sensors.ROWS + 1, 1 : sensors.COLS + 1]
    sensors.make_emit(folder / "emit.nc", values.astype("float32"), rows, cols)
    (folder / "enmap").mkdir()
    sensors.make_enmap(folder / "enmap", values)
    torch.save({"state": {"weight": torch.zeros(4, 4)}, "epoch": 3}, folder / "foreign.pt")
    _unfinished(folder)


def _unfinished(folder: Path) -> None:
    """Leave a run of upscale that was killed, and a run of train that goes on."""
    harness.run(*_job("upscale-resume").at(folder, folder), first=_die_before_the_end)
    if not (folder / ".half.tif.journal").exists():
        raise SystemExit("no run of upscale was left unfinished")
    ended = harness.run(*_job("train-resume").at(folder, folder), "--max-steps", "2", seconds=300)
    if ended.code:
        raise SystemExit(ended.stderr)


def _die_before_the_end() -> None:
    from specgan_cli.inference.output import sinks

    sinks.COMMIT_SECONDS = 0.0
    fsyncs, fsync = iter(range(1000)), os.fsync

    def fatal(descriptor: int) -> None:
        fsync(descriptor)
        if next(fsyncs) == 4:
            os.kill(os.getpid(), signal.SIGKILL)

    os.fsync = fatal


def _job(name: str) -> Job:
    return next(job for job in _own() if job.name == name)


def jobs() -> list[Job]:
    """Return a command line for every kind of input."""
    found = []
    for job in inputs.jobs():
        if job.name in ("train", "upscale-cog"):
            continue
        dry = job.name.startswith("upscale-") and job.name != "upscale-guided"
        found.append(Job(job.name, job.words + ("--dry-run",) * dry, job.result, job.inputs))
        if job.name in ("upscale-tiles.tif", "upscale-bip.img", "upscale-scene.png"):
            found.append(job)
    return found + _own()


def _own() -> list[Job]:
    corner = f"--hsi-origin {NORTH_UP.c},{NORTH_UP.f}"
    onto = f"--no-align {corner} -o {{out}}/out.tif"
    lines = {
        "cube-prisma": (f"prepare {{in}}/strip.tif --hsi {{in}}/prisma.he5 {onto}", "prisma.he5"),
        "cube-emit": (f"prepare {{in}}/strip.tif --hsi {{in}}/emit.nc {onto}", "emit.nc"),
        "cube-enmap": ("upscale {in}/strip.tif --hsi {in}/enmap/@ -o {out}/o.tif -x 2", "enmap/*"),
        "table": (f"prepare {{in}}/strip.tif --hsi {{in}}/cube.tif --wavelengths {{in}}/bands.csv"
                  f" {onto}", "bands.csv"),
        "import": ("models import {in}/foreign.pt -o {out}/w.safetensors", "foreign.pt"),
        "export": ("models show {in}/tiny-means.safetensors", "tiny-means.safetensors"),
        "train": ("train {in}/training -o {out}/run --config {in}/train.toml --max-steps 1"
                  " --device cpu -j 1", "train.toml"),
        "train-dataset": ("train {in}/training -o {out}/run --config {in}/train.toml --max-steps 1"
                          " --device cpu -j 1", "training/*"),
        "train-resume": ("train {in}/training -o {in}/run --config {in}/train.toml --resume"
                         " --device cpu -j 1", "run/*"),
        "upscale-resume": ("upscale {in}/strip.tif -o {in}/half.tif -x 16 --tile 8 --batch 1 -j 1"
                           " --weights {in}/tiny.safetensors --device cpu --resume", ".half.tif.*"),
    }  # fmt: skip
    return [Job(name, tuple(line.split()), "", (read,)) for name, (line, read) in lines.items()]
