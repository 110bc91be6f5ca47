"""`specgan train`: train a network on a prepared dataset."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from specgan_cli.cli import options
from specgan_cli.cli.console import Progress, say, write_json

if TYPE_CHECKING:
    from specgan_cli.training.session import Outcome

EPILOG = """\b
Examples:
  specgan train dataset/ -o runs/first --config recipe.toml
  specgan train dataset/ -o runs/first --config recipe.toml --resume
  specgan train dataset/ -o runs/mine --finetune specgan-scene --perceptual alex.pth
  torchrun --nproc-per-node 4 -m specgan_cli train dataset/ -o runs/big --size base
"""


@click.command(epilog=EPILOG)
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", "folder", required=True, type=click.Path(path_type=Path), help="Run folder."
)
@click.option(
    "--recipe",
    type=click.Choice(["scene", "published"]),
    help="How to train; scene unless the configuration says otherwise.",
)
@click.option(
    "--scale",
    type=click.Choice(["16", "32"]),
    help="Published network only; the scene network learns every factor.",
)
@click.option("--size", type=click.Choice(["small", "base"]), help="Size of the scene network.")
@click.option(
    "--config", "config_path", type=click.Path(path_type=Path), help="TOML configuration."
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one value, such as stages.0.steps=100; repeatable.",
)
@click.option(
    "--perceptual",
    type=click.Path(path_type=Path),
    help="Perceptual weights: a file of stlpips-pytorch, or torchvision's VGG16 state dict.",
)
@click.option(
    "--aerial",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Weights of a second judge for validation: geoembed's weights/v3.npz.",
)
@click.option("--init", help="Begin from a run folder, a weights file or a shipped name.")
@click.option(
    "--finetune",
    metavar="NAME|FILE|RUN",
    help="Refine weights: take their size and a recipe for it, and validate before and after.",
)
@click.option("--resume", is_flag=True, help="Go on with the run folder, if it exists.")
@click.option("--max-steps", type=click.IntRange(min=1), help="End after so many steps of the run.")
@click.option(
    "--max-minutes",
    type=options.Float(min=0, min_open=True),
    help="End this session after so many minutes, with a checkpoint.",
)
@options.device
@options.threads
@options.json_output
def train(**given: Any) -> int:
    """Train a network on DATASET, a folder made by `specgan prepare`.

    The run folder keeps configuration, metrics, sample pictures, checkpoints and the averaged
    weights.  SIGTERM, Ctrl-C and --max-minutes end a session after a checkpoint; the same command
    with --resume goes on to the bit.
    """
    from specgan_cli.datasets.dataset import Dataset
    from specgan_cli.devices import check_devices
    from specgan_cli.training.config.finetune import finetuned
    from specgan_cli.training.config.load import load_config

    # What can be refused is refused before the imports below, which bring torch.
    if given["finetune"] and (given["init"] or given["size"]):
        raise click.UsageError("--finetune brings weights and their size; leave --init, --size out")
    config = load_config(given["config_path"], given["overrides"], _defaults(given))
    if given["finetune"]:
        config = finetuned(config, given["finetune"])
    check_devices(given["device"])
    Dataset.open(given["dataset"])

    from specgan_cli.training.loop import Limits
    from specgan_cli.training.session import Session
    from specgan_cli.workflows import train as workflow

    session = options.from_options(
        Session,
        given,
        config=config,
        init=given["finetune"] or given["init"],
        finetune=given["finetune"] is not None,
        limits=Limits(given["max_steps"], given["max_minutes"]),
    )
    with Progress("step") as progress:
        listener = partial(_show_losses, progress)
        outcome = workflow.train(session, given["device"], listener, aerial=given["aerial"])
    if outcome.is_main:
        _show_outcome(outcome, as_json=given["as_json"])
    return int(outcome.code)


def _defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the options say in place of the configuration's own defaults."""
    chosen = {
        "recipe": given["recipe"],
        "network.scale": int(given["scale"]) if given["scale"] else None,
        "network.size": given["size"],
    }
    return {key: value for key, value in chosen.items() if value is not None}


def _show_losses(progress: Progress, record: Mapping[str, Any]) -> None:
    """Draw the newest line of the metrics."""
    if "steps_per_s" in record:
        losses = [f"{name} {value:.4g}" for name, value in record.items() if "/" in name][:6]
        progress(f"stage {record['stage']}", record["step"], None, "  ".join(losses))


def _show_outcome(outcome: "Outcome", *, as_json: bool) -> None:
    from specgan_cli.workflows.train import comparison, verdict

    text = verdict(outcome)
    if as_json:
        write_json(
            {
                "step": outcome.step,
                "steps": outcome.steps,
                "weights": outcome.weights,
                "validated": outcome.validated,
                "validation": outcome.validation,
                "before": outcome.before,
                "verdict": text,
            }
        )
        return
    say(f"step {outcome.step} of {outcome.steps}; weights in {outcome.weights}")
    for line in filter(None, [text, *comparison(outcome)]):
        say(line)
    if outcome.step < outcome.steps:
        say("not finished: the same command with --resume goes on")
