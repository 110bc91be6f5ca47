"""`specgan train`: train a network on a prepared dataset."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from specgan_cli.cli import options

EPILOG = """\b
Examples:
  specgan train dataset/ -o runs/first --config recipe.toml
  specgan train dataset/ -o runs/first --config recipe.toml --resume
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
@click.option("--init", help="Begin from a run folder, a weights file or a shipped name.")
@click.option("--resume", is_flag=True, help="Go on with the run folder, if it exists.")
@click.option("--max-steps", type=click.IntRange(min=1), help="End after so many steps of the run.")
@click.option(
    "--max-minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="End this session after so many minutes, with a checkpoint.",
)
@options.device
@options.json_output
@click.pass_context
def train(
    context: click.Context,
    dataset: Path,
    folder: Path,
    recipe: str | None,
    scale: str | None,
    size: str | None,
    config_path: Path | None,
    overrides: tuple[str, ...],
    perceptual: Path | None,
    init: str | None,
    resume: bool,
    max_steps: int | None,
    max_minutes: float | None,
    device: str,
    as_json: bool,
) -> int:
    """Train a network on DATASET, a folder made by `specgan prepare`.

    The run folder keeps configuration, metrics, sample pictures, checkpoints and the averaged
    weights.  SIGTERM, Ctrl-C and --max-minutes end a session after a checkpoint; the same command
    with --resume goes on to the bit.
    """
    from specgan_cli.training.config.load import load_config
    from specgan_cli.training.loop import Limits
    from specgan_cli.training.session import Session
    from specgan_cli.workflows import train as workflow

    chosen = {
        "recipe": recipe,
        "network.scale": int(scale) if scale else None,
        "network.size": size,
    }
    defaults = {key: value for key, value in chosen.items() if value is not None}
    session = Session(
        dataset=dataset,
        folder=folder,
        config=load_config(config_path, overrides, defaults),
        perceptual=perceptual,
        init=init,
        resume=resume,
        limits=Limits(max_steps, max_minutes),
    )
    with _Progress(quiet=(context.obj or {}).get("quiet", False)) as progress:
        outcome = workflow.train(session, device, progress.show)
    if outcome.leads:
        _tell(outcome, as_json=as_json, resumable=outcome.step < outcome.steps)
    return int(outcome.code)


class _Progress:
    """One line on stderr, on a terminal only; the newest losses and the speed."""

    def __init__(self, *, quiet: bool) -> None:
        from rich.console import Console

        self.console = Console(stderr=True)
        self.status = None if quiet or not self.console.is_terminal else self.console.status("...")

    def __enter__(self) -> "_Progress":
        if self.status:
            self.status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.status:
            self.status.stop()

    def show(self, record: Mapping[str, Any]) -> None:
        """Draw the newest line of the metrics."""
        if self.status and "steps_per_s" in record:
            losses = [f"{k} {v:.4g}" for k, v in record.items() if "/" in k][:6]
            self.status.update(
                f"stage {record['stage']} step {record['step']}  "
                f"{record['steps_per_s']:.2f} steps/s  " + "  ".join(losses)
            )


def _tell(outcome: Any, *, as_json: bool, resumable: bool) -> None:
    import json

    from specgan_cli.workflows.train import verdict

    text = verdict(outcome)
    if as_json:
        values = outcome.report.values if outcome.report else {}
        document = {
            "step": outcome.step,
            "steps": outcome.steps,
            "weights": str(outcome.weights),
            "validation": values,
            "verdict": text,
        }
        click.echo(json.dumps(document))
        return
    click.echo(f"step {outcome.step} of {outcome.steps}; weights in {outcome.weights}")
    if text:
        click.echo(text)
    if resumable:
        click.echo("not finished: the same command with --resume goes on")
