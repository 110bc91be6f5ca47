"""The `models` command: list, show, import and export weights."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from specgan_cli.cli import options
from specgan_cli.cli.console import say, write_json, write_table

if TYPE_CHECKING:
    from specgan_cli.workflows.models import WeightsFacts

LIST_EPILOG = """\b
Examples:
  specgan models list
  specgan models list --json
"""
SHOW_EPILOG = """\b
Examples:
  specgan models show specgan-scene
  specgan models show x32.safetensors --json
"""
IMPORT_EPILOG = """\b
Examples:
  specgan models import specgan_x32.pth -o x32.safetensors
  specgan models import specgan_x32.pth -o half.safetensors --half
"""
EXPORT_EPILOG = """\b
Examples:
  specgan models export specgan-scene -x 8 -o net.onnx
  specgan models export specgan-scene -x 8 --gsd 10 -o net.onnx
  specgan models export specgan-scene -x 32 --full -o net.pt2
"""


@click.group()
def models() -> None:
    """List, show, import and export weights."""


@models.command("list", epilog=LIST_EPILOG)
@options.json_output
def list_models(as_json: bool) -> None:
    """List the shipped weights."""
    from specgan_cli.workflows.models import list_weights

    facts = list_weights()
    if as_json:
        write_json({"weights": facts})
        return
    rows = [
        (
            entry.name,
            entry.header.architecture,
            f"x{entry.header.scale}",
            f"{entry.values / 1e6:.1f} M values",
            f"{entry.bytes / 1e6:.1f} MB",
        )
        for entry in facts
    ]
    write_table(("name", "network", "scale", "values", "size"), rows)


@models.command(epilog=SHOW_EPILOG)
@click.argument("weights", metavar="NAME|FILE")
@options.json_output
def show(weights: str, as_json: bool) -> None:
    """Show what weights are: network, scale, bands, training, metrics."""
    from specgan_cli.workflows.models import show_weights

    facts = show_weights(weights)
    if as_json:
        write_json(facts)
        return
    for key, value in _lines(facts):
        click.echo(f"{key + ':':<14} {value}")


@models.command("import", epilog=IMPORT_EPILOG)
@click.argument("checkpoint", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="The weights file to write, NAME.safetensors.",
)
@click.option("--half", is_flag=True, help="Write 16-bit numbers: half the size.")
@options.overwrite
@options.json_output
def import_model(
    checkpoint: Path, output: Path, half: bool, overwrite: bool, as_json: bool
) -> None:
    """Convert a checkpoint of the paper's authors; code in it is never run."""
    from specgan_cli.workflows.models import ImportRequest, import_weights

    report = import_weights(ImportRequest(checkpoint, output, half=half, overwrite=overwrite))
    if as_json:
        write_json(report)
        return
    network = report["network"]
    say(
        f"{network['path']}: published x{network['header']['scale']}, "
        f"{network['values'] / 1e6:.1f} M values, {network['bytes'] / 1e6:.1f} MB; "
        f"{len(report['unused'])} tensors that the network never uses left out"
    )


@models.command(epilog=EXPORT_EPILOG)
@click.argument("weights", metavar="NAME|FILE")
@click.option(
    "-o", "--output", type=options.LocalPath(), required=True, help="NAME.onnx or NAME.pt2."
)
@options.scale
@click.option(
    "--gsd",
    type=options.Float(min=0, min_open=True),
    default=3.2,
    show_default=True,
    help="The input pixel in metres.",
)
@click.option("--full", is_flag=True, help="Take cube, pixel size, noise and context as inputs.")
@options.fidelity
@options.overwrite
@options.json_output
def export(**given: Any) -> None:
    """Write the scene network as a graph for ONNX Runtime, QGIS Deepness, TensorRT or torch."""
    from specgan_cli.workflows.models import ExportRequest, export_weights

    report = export_weights(options.from_options(ExportRequest, given))
    if given["as_json"]:
        write_json(report)
        return
    say(f"{report['path']}: x{given['scale']}; takes {', '.join(report['inputs'])}")


def _lines(facts: "WeightsFacts") -> list[tuple[str, str]]:
    """Return the words and values that `show` prints."""
    header = facts.header
    centres = header.bands.wavelengths_nm
    lines = [
        ("name", facts.name),
        ("path", facts.path),
        ("size", f"{facts.bytes} bytes, {facts.values} values, {', '.join(facts.types)}"),
        ("sha256", facts.sha256),
        ("architecture", f"{header.architecture} {_words(header.config)}".strip()),
        ("scale", str(header.scale)),
        ("bands", f"{len(centres)}, {min(centres):g} to {max(centres):g} nm" if centres else "0"),
        ("rgb scaling", _words(header.rgb_scaling)),
        ("degradation", _words(header.degradation)),
        ("training", _words(header.training)),
        ("metrics", _words(header.metrics)),
        ("version", header.version),
        ("created", header.created),
    ]
    return [(key, value or "not recorded") for key, value in lines]


def _words(values: Any) -> str:
    return ", ".join(
        f"{key} {value if isinstance(value, str | int | float) else json.dumps(value)}"
        for key, value in values.items()
    )
