"""Whatever is shown hides credentials."""

from pathlib import Path

import pytest

from specgan_cli.redaction import redact, redact_words
from specgan_cli.training.run_folder import environment
from support.command import specgan

URL = "https://user:hunter2@host/file.csv?token=hunter2"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/data/scene.tif", "/data/scene.tif"),
        ("/data/100% #1?.tif", "/data/100% #1?.tif"),
        ("https://user:secret@host/a.tif?sig=abc", "https://host/a.tif"),
        ("https:/user:secret@host/a.tif#b", "https:/host/a.tif"),
        ("s3://bucket/key.tif", "s3://bucket/key.tif"),
        ("/vsicurl/https://u:p@host/a.tif?token=x", "/vsicurl/https://host/a.tif"),
        ("NETCDF:/home/a@b/c.nc:rain", "NETCDF:/home/a@b/c.nc:rain"),
    ],
)
def test_names_show_no_secrets(path: str, shown: str) -> None:
    assert redact(path) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("what is this?  no one knows", "what is this?  no one knows"),
        (
            f"{URL}: no such file ('{URL}')",
            "https://host/file.csv: no such file ('https://host/file.csv')",
        ),
        (
            "AWS_SECRET_ACCESS_KEY=abc, then --token=d",
            "AWS_SECRET_ACCESS_KEY=***, then --token=***",
        ),
    ],
)
def test_messages_show_no_secrets(text: str, shown: str) -> None:
    assert redact_words(text) == shown


@pytest.mark.parametrize(
    "option", ["--weights", "--wavelengths", "--aoi", "--hsi", "--bounds", "--dask"]
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_option_makes_an_error_show_secrets(
    uint8_scene: Path, tmp_path: Path, option: str, form: str
) -> None:
    """Whether the workflow refuses a value or click does, in text and in a log."""
    log = tmp_path / "log"
    log.touch()
    words = ["upscale", uint8_scene, "-x", 2, "-o", tmp_path / "out.tif"]
    words += ["--hsi", "nothing.tif"] if option == "--wavelengths" else []
    done = specgan(*words, option, URL, "-v", "--log-format", form, "--log-file", log)
    assert done.code in (1, 2)
    assert "host" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout + log.read_text()


def test_the_record_of_a_training_session_shows_no_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.argv", ["specgan", "train", "data", "--init", URL, "--set=a_token=b"])
    assert environment()["command"] == [
        *("train", "data", "--init", "https://host/file.csv", "--set=a_token=***"),
    ]


def test_a_scene_of_a_batch_that_fails_shows_no_secrets(uint8_scene: Path, tmp_path: Path) -> None:
    words = ("upscale", uint8_scene, "-x", 2, "--out-dir", tmp_path / "out", "--weights", URL)
    done = specgan(*words, "--json")
    assert done.code == 1
    assert "hunter2" not in done.stderr + done.stdout
