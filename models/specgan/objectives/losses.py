"""Losses of the scene recipe: masked, and averaged sample by sample.

Every loss is a mean over samples of a per-sample mean, so that two processes with a batch each
have the mean gradient of one process with both.
"""

from torch import Tensor

_RMS_FLOOR = 1e-3
"""An eighth of a grey level: keeps the gradient of a perfect sample finite."""


def masked_l1(output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Average the absolute difference over valid pixels.

    Args:
        output: N x C x H x W.
        truth: N x C x H x W.
        mask: N x 1 x H x W, 1 where the truth is known.

    Returns:
        A scalar; a sample without a valid pixel counts as 0.
    """
    difference = (output - truth).abs().mean(dim=1, keepdim=True) * mask
    return (difference.sum(dim=(1, 2, 3)) / mask.sum(dim=(1, 2, 3)).clamp(min=1)).mean()


def masked_rms(output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Average the root mean square difference over valid pixels, sample by sample.

    What lowers the PSNR of an image: where the truth may be this or that, the least is at its mean,
    that of `masked_l1` at its median.

    Args:
        output: N x C x H x W.
        truth: N x C x H x W.
        mask: N x 1 x H x W, 1 where the truth is known.

    Returns:
        A scalar; a sample without a valid pixel counts as next to 0.
    """
    square = (output - truth).square().mean(dim=1, keepdim=True) * mask
    mean = square.sum(dim=(1, 2, 3)) / mask.sum(dim=(1, 2, 3)).clamp(min=1)
    return (mean + _RMS_FLOOR**2).sqrt().mean()


def composite(output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Put the truth where it is not known to be one, so that no loss sees a difference there.

    Args:
        output: N x C x H x W.
        truth: N x C x H x W, filled with anything finite where unknown.
        mask: N x 1 x H x W, 1 where the truth is known.

    Returns:
        N x C x H x W: the output inside the mask, the truth's filling outside.
    """
    return truth + (output - truth) * mask


def unevenness(image: Tensor) -> Tensor:
    """Measure how much larger or smaller steps across cells of 2 x 2 pixels are than within them.

    Each doubling of a network makes four pixels of one; where their own steps are smaller than
    those to the next four, the picture shows a grid.

    Args:
        image: N x C x 2H x 2W.

    Returns:
        The squared logarithm of the ratio of an image's mean absolute steps, averaged over images;
        0 without a grid, and of an image of one cell a side.
    """
    if min(image.shape[2:]) < 4:
        return image.new_zeros(())
    rows = (image[..., 1:, :] - image[..., :-1, :]).abs()
    cols = (image[..., 1:] - image[..., :-1]).abs()
    each = (1, 2, 3)
    across = rows[..., 1::2, :].mean(each) + cols[..., 1::2].mean(each)
    within = rows[..., 0::2, :].mean(each) + cols[..., 0::2].mean(each)
    return ((across + 1e-4) / (within + 1e-4)).log().square().mean()


def lattice(output: Tensor, truth: Tensor, given: Tensor, factor: int) -> Tensor:
    """Measure what of the detail belongs to the grid of the LR pixels instead of to the ground.

    Detail is what an image adds to the interpolated input.  Sub-pixel convolutions can print the
    same dots in every cell, which no perceptual loss of a shorter reach sees.  For every period of
    2, 4, ... pixels up to the LR pixel, two figures are summed: the mean square of the mean detail
    at each position of the period, as a share of the energy of the true detail; and half the square
    of what the detail resembles itself a period away, along rows, columns and diagonals, more than
    the true detail does, which finds patterns whose sign or strength follows the ground.

    Args:
        output: N x C x sH x sW.
        truth: N x C x sH x sW.
        given: N x C x sH x sW, the interpolated input.
        factor: s, a power of two.

    Returns:
        A scalar, over the whole batch.
    """
    made, true = output - given, truth - given
    energy = true.square().mean().clamp_min(1e-4)
    total = made.new_zeros(())
    for level in range(1, factor.bit_length()):
        period = 2**level
        n, c, height, width = made.shape
        cells = made.reshape(n, c, height // period, period, width // period, period)
        total = total + cells.mean((0, 2, 4)).square().mean() / energy
        for lag_yx in ((period, 0), (0, period), (period, period), (period, -period)):
            excess = _self_similarity(made, lag_yx) - _self_similarity(true, lag_yx)
            total = total + 0.5 * excess.clamp_min(0).square().mean()
    return total


def _self_similarity(detail: Tensor, lag_yx: tuple[int, int]) -> Tensor:
    """Return N autocorrelations, 0 at least, of N x C x H x W at a lag of rows and columns."""
    rows, cols = lag_yx
    height, width = detail.shape[2] - rows, detail.shape[3] - abs(cols)
    if min(height, width) < 1:
        return detail.new_zeros(len(detail))
    first = detail[:, :, :height, max(-cols, 0) :][..., :width]
    second = detail[:, :, rows:, max(cols, 0) :][..., :width]
    power = detail.square().mean((1, 2, 3)).clamp_min(1e-5)
    return ((first * second).mean((1, 2, 3)) / power).clamp_min(0)
