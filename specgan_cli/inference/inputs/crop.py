"""The part of a scene that is upscaled."""

from specgan_cli.errors import MismatchError
from specgan_cli.inference.request import InputOptions
from specgan_cli.raster.grid import Grid, Window


def crop_window(grid: Grid, inputs: InputOptions) -> Window:
    """Return the LR pixels that `--bounds` or `--window` ask for; all of them without either.

    Bounds are widened to whole LR pixels and cut at the scene's edges, so the result is a part of
    the scene's own result.

    Args:
        grid: The whole scene's grid.
        inputs: The options.

    Raises:
        MismatchError: The part lies outside the scene.
    """
    rows, cols = grid.shape_yx
    if inputs.window is not None:
        col, row, width, height = inputs.window
        window = Window(row, col, height, width)
        asked = f"--window {','.join(map(str, inputs.window))}"
        there = f"{cols} columns and {rows} rows"
    elif inputs.bounds is not None:
        window = grid.window_of(inputs.bounds)
        asked = f"--bounds {','.join(f'{x:g}' for x in inputs.bounds)}"
        there = "bounds " + ",".join(f"{x:.10g}" for x in grid.bounds)
    else:
        return grid.full_window
    part = window.intersection(grid.full_window)
    if part is None:
        raise MismatchError(f"{asked} lies outside the scene, which has {there}")
    return part
