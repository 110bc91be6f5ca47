"""The scripts of docs/clusters.md: shells read them, and they hand the right scene over."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from specgan_cli.cli.main import cli

PAGE = (Path(__file__).parents[2] / "docs" / "clusters.md").read_text()
SCRIPTS = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_shell_reads_the_script(script: str) -> None:
    assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0


def told(script: str, folder: Path, **variables: str) -> list[str]:
    """Run a script with a specgan that only tells its words."""
    stub = folder / "specgan"
    stub.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    stub.chmod(0o755)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", **variables}
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, cwd=folder, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def parses(words: list[str]) -> bool:
    context = click.Context(cli, info_name="specgan")
    command = cli.get_command(context, words[0])
    assert command is not None
    command.make_parser(click.Context(command, parent=context)).parse_args(args=words[1:])
    return True


def test_the_array_gives_each_task_its_scene(tmp_path: Path) -> None:
    (tmp_path / "scenes.txt").write_text("scenes/a.tif\nscenes/b c.tif\n")
    words = told(SCRIPTS[0], tmp_path, SLURM_ARRAY_TASK_ID="2")
    assert words[:2] == ["upscale", "scenes/b c.tif"]
    assert parses(words)


def test_the_indexed_job_counts_from_nought(tmp_path: Path) -> None:
    (block,) = re.findall(r"args:\n\s+- >-\n((?: {14}.*\n)+)", PAGE)
    (tmp_path / "scenes.txt").write_text("a.tif\nb.tif\n")
    script = " ".join(block.split()).replace("/data/scenes.txt", "scenes.txt")
    words = told(script, tmp_path, JOB_COMPLETION_INDEX="1")
    assert words[:2] == ["upscale", "b.tif"]
    assert parses(words)


def test_the_driver_of_dask_parses() -> None:
    (line,) = re.findall(r"srun .* specgan (upscale (?:.*\\\n)?.*)", SCRIPTS[1])
    words = shlex.split(line.replace("\\\n", " "))
    assert "--dask" in words
    assert parses(words)


def test_the_job_is_yaml_that_restarts_nothing_by_itself() -> None:
    yaml = pytest.importorskip("yaml")
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    job = yaml.safe_load(text)
    assert (job["kind"], job["spec"]["completionMode"]) == ("Job", "Indexed")
    pod = job["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never"  # backoffLimitPerIndex wants it
    volumes = {volume["name"] for volume in pod["volumes"]}
    (container,) = pod["containers"]
    assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


def test_the_line_of_cron_parses() -> None:
    (line,) = re.findall(r"flock -n .lock (specgan .*)", PAGE)
    assert parses(shlex.split(line)[1:])
