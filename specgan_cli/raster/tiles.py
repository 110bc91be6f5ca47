"""Tile plans: windows that cover a raster exactly once."""

from specgan_cli.raster.grid import Window


def plan_tiles(shape_yx: tuple[int, int], tile: int) -> list[Window]:
    """Cut a raster into square tiles; those at the right and lower edge are what is left.

    Args:
        shape_yx: (rows, columns) of the raster.
        tile: Rows and columns of a tile in pixels, at least 1.

    Returns:
        Windows in row-major order that cover every pixel exactly once.

    Raises:
        ValueError: If the tile or the raster is empty.
    """
    rows, cols = shape_yx
    if tile < 1 or rows < 1 or cols < 1:
        raise ValueError(f"{rows} x {cols} pixels cannot be cut into tiles of {tile}")
    return [
        Window(row, col, min(tile, rows - row), min(tile, cols - col))
        for row in range(0, rows, tile)
        for col in range(0, cols, tile)
    ]
