"""Measures of validation, one number an image; images are N x 3 x H x W in [-1, 1]."""

import torch
from torch import Tensor
from torch.nn import functional

_SSIM_TAPS = 11
_SSIM_SIGMA = 1.5


def l1(output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Return N mean absolute differences as shares of the range, 0..1, over valid pixels."""
    difference = (output - truth).abs().mean(dim=1, keepdim=True) * mask
    return difference.sum(dim=(1, 2, 3)) / mask.sum(dim=(1, 2, 3)).clamp(min=1) / 2


def psnr(output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Return N peak signal-to-noise ratios in decibels over valid pixels; at most 100."""
    square = (output - truth).square().mean(dim=1, keepdim=True) * mask
    mean = square.sum(dim=(1, 2, 3)) / mask.sum(dim=(1, 2, 3)).clamp(min=1)
    return 10 * torch.log10(4 / mean.clamp(min=4e-10))


def ssim(output: Tensor, truth: Tensor) -> Tensor:
    """Return N structural similarities (Wang et al., 2004), mean over bands and pixels.

    Gaussian window of 11 taps, sigma 1.5, range 2, only where the window fits; images smaller
    than it use one of their own size.
    """
    taps = min(_SSIM_TAPS, *output.shape[2:])
    offsets = torch.arange(taps, device=output.device) - (taps - 1) / 2
    line = torch.exp(-0.5 * (offsets / _SSIM_SIGMA) ** 2)
    line = line / line.sum()
    stack = torch.cat([output, truth, output**2, truth**2, output * truth])
    smooth = functional.conv2d(stack.flatten(0, 1)[:, None], line[None, None, :, None])
    smooth = functional.conv2d(smooth, line[None, None, None, :])
    a, b, aa, bb, ab = smooth.view(5, -1, 3, *smooth.shape[2:])
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    structure = (2 * (ab - a * b) + c2) / (aa - a * a + bb - b * b + c2)
    luminance = (2 * a * b + c1) / (a * a + b * b + c1)
    similarity: Tensor = luminance * structure
    return similarity.mean(dim=(1, 2, 3))


def lr_psnr(output: Tensor, lr_rgb: Tensor) -> Tensor:
    """Return N ratios in decibels of the output's block means against the input image."""
    means = functional.adaptive_avg_pool2d(output, (lr_rgb.shape[2], lr_rgb.shape[3]))
    return psnr(means, lr_rgb, torch.ones_like(lr_rgb[:, :1]))


def bicubic(lr_rgb: Tensor, factor: int) -> Tensor:
    """Enlarge N x 3 x H x W bicubically (half-pixel centres), limited to [-1, 1]."""
    large = functional.interpolate(lr_rgb, scale_factor=factor, mode="bicubic", align_corners=False)
    return large.clamp(-1, 1)
