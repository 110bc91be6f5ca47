"""An output raster beside a reference."""

from specgan_cli.devices import parse_device
from specgan_cli.evaluation import rasters
from specgan_cli.evaluation.comparison import Comparison
from specgan_cli.evaluation.image_pair import OUTPUT
from specgan_cli.evaluation.judging import load_judges, note_unmeasured
from specgan_cli.evaluation.report import panels, summary
from specgan_cli.evaluation.report.outcome import EvaluateResult
from specgan_cli.evaluation.request import EvaluateRequest
from specgan_cli.types import Progress


def measure_rasters(
    request: EvaluateRequest,
    pair: Comparison,
    names: tuple[str, ...],
    progress: Progress | None,
) -> tuple[EvaluateResult, list[panels.Strip]]:
    """Compare an output with a reference.

    Args:
        request: What to measure.
        pair: The open rasters.
        names: Of the metrics.
        progress: Called with tiles done and in all.

    Returns:
        The figures, and strips to draw.
    """
    device = parse_device(request.device)
    limits = pair.units.low, pair.units.high
    context = summary.Context(f"{pair.sr.name} against {pair.reference.name}", request.command)
    judges = load_judges(request, context, limits, device)
    context.notes += pair.notes
    evaluation = rasters.compare(pair, names, judges=judges, progress=progress)
    note_unmeasured(context, evaluation, judges)
    drawn: list[panels.Strip] = []
    metric = panels.ranking(evaluation, OUTPUT)
    if request.output is not None and metric is not None:
        chosen = panels.choose(evaluation, OUTPUT, metric)
        drawn = panels.draw_blocks(
            chosen,
            lambda name: rasters.tiles_of(pair, rasters.block_window(pair, name)),
            evaluation,
            metric,
        )
    return EvaluateResult(evaluation, context), drawn
