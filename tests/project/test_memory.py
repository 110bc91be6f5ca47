"""What is free and what was held, on systems that say it in different ways."""

import os
from pathlib import Path

import pytest

from specgan_cli import memory


def test_some_memory_is_free_and_some_is_held() -> None:
    assert memory.free_memory() > 10**7
    block = bytearray(64 * 2**20)
    assert memory.peak_memory() > len(block)


def test_a_container_limits_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "none")
    (tmp_path / "memory.current").write_text("1000000\n")
    (tmp_path / "memory.max").write_text("3000000\n")
    assert memory.free_memory() == 2000000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free_memory() > 2000000


def test_memory_is_assumed_where_the_system_does_not_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> int:
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(memory, "_kib", lambda path, name: None)
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "sysconf", refuse)
    assert memory.free_memory() == memory.ASSUMED
    monkeypatch.delattr(os, "sysconf")
    assert memory.free_memory() == memory.ASSUMED


def test_a_job_inside_a_batch_system_keeps_to_its_own_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tmp_path / "system.slice" / "job_7"
    job.mkdir(parents=True)
    (tmp_path / "groups").write_text("0::/system.slice/job_7/step_0\n")
    (job / "memory.max").write_text("9000000\n")
    (job / "memory.current").write_text("8000000\n")
    (job / "memory.stat").write_text("anon 1000000\ninactive_file 500000\n")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "groups")
    assert memory.free_memory() == 1500000


def test_groups_of_the_first_version_limit_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "groups").write_text("5:cpu,cpuacct:/x\n4:memory:/docker/abc\n")
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("7000000\n")
    (tmp_path / "memory" / "memory.usage_in_bytes").write_text("3000000\n")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "groups")
    assert memory.free_memory() == 4000000


def test_slurm_says_what_a_job_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "2")
    assert memory.free_memory() == 2 * 2**20
