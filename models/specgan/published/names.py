"""Names of the published checkpoints' tensors, and the way from them to ours."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from specgan.layers import fir_kernel

Rule = tuple[str, str | Callable[[re.Match[str]], str]]

NETWORK_RULES: tuple[Rule, ...] = (
    (r"^fusion\.hsi_stem\.0\.", r"encoder_head.layerInX_1."),
    (r"^fusion\.hsi_stem\.1\.", r"encoder_head.layerInX_2."),
    (r"^fusion\.rgb_stem\.0\.", r"encoder_head.layerInY_1."),
    (r"^fusion\.rgb_stem\.1\.", r"encoder_head.layerInY_2."),
    (r"^fusion\.hsi_branches\.0\.", r"encoder_head.branch1_1."),
    (r"^fusion\.hsi_branches\.1\.", r"encoder_head.branch1_2."),
    (r"^fusion\.rgb_branches\.0\.", r"encoder_head.branch2_1."),
    (r"^fusion\.rgb_branches\.1\.", r"encoder_head.branch2_2."),
    (r"\.blocks\.(\d+)\.layers\.(\d+)\.", r".RDBs.\1.convs.\2.conv.0."),
    (r"\.blocks\.(\d+)\.fuse\.", r".RDBs.\1.LFF."),
    (r"\.merge\.", r".GFF."),
    (r"^fusion\.common\.", r"encoder_head.Infor."),
    (r"^fusion\.hsi_update\.attention\.(\w+)\.", r"encoder_head.similarX.\1_conv."),
    (r"^fusion\.rgb_update\.attention\.(\w+)\.", r"encoder_head.similarY.\1_conv."),
    (r"^fusion\.hsi_update\.reference\.", r"encoder_head.layerX_S."),
    (r"^fusion\.hsi_update\.factor\.", r"encoder_head.layerX_M."),
    (r"^fusion\.hsi_update\.offset\.", r"encoder_head.layerX_B."),
    (r"^fusion\.rgb_update\.reference\.", r"encoder_head.layerY_S."),
    (r"^fusion\.rgb_update\.factor\.", r"encoder_head.layerY_M."),
    (r"^fusion\.rgb_update\.offset\.", r"encoder_head.layerY_B."),
    (r"^fusion\.to_bank\.", r"encoder_head.layerOut_X."),
    (r"^fusion\.to_decoder\.", r"encoder_head.layerOut_Y."),
    (r"^bank\.fuse_features\.", r"fusion_out."),
    (r"^bank\.fuse_skips\.", r"fusion_skip."),
    (r"^bank\.constant$", r"generator.constant_input.input"),
    (r"^bank\.first\.noise$", r"generator.injected_noise_0"),
    (r"^bank\.convs\.(\d+)\.noise$", lambda match: f"generator.injected_noise_{int(match[1]) + 1}"),
    (r"^bank\.first\.bias$", r"generator.conv1.activate.bias"),
    (r"^bank\.convs\.(\d+)\.bias$", r"generator.convs.\1.activate.bias"),
    (r"^bank\.first\.", r"generator.conv1."),
    (r"^bank\.convs\.", r"generator.convs."),
    (r"^bank\.first_rgb\.", r"generator.to_rgb1."),
    (r"^bank\.rgbs\.", r"generator.to_rgbs."),
    (r"\.noise_strength$", r".noise_injector.weight"),
    (r"\.style\.weight$", r".style_modulation.linear.weight_orig"),
    (r"\.style\.bias$", r".style_modulation.bias"),
    (r"^(generator\..*\.conv)\.weight$", r"\1.weight_orig"),
    (r"^(decoder\.\d+\.2)\.conv\.", r"\1.upsample_conv."),
    (r"^image\.", r"decoder_out."),
)
"""How a name of `PublishedNetwork` becomes the published one; all are applied, in this order."""

MODULATED_WEIGHT = re.compile(r"^generator\.(?!style_mapping).*\.conv\.weight_orig$")
"""Published weights with a leading axis of length 1, which ours lack."""

FILTER = re.compile(r"(^|\.)kernel$")
"""Buffers of the fixed filter, which ours compute."""

UNUSED = re.compile(r"^generator\.style_mapping\.")
"""StyleGAN2's mapping network: in every published checkpoint, and never called."""


@dataclass(frozen=True)
class Conversion:
    """Published tensors under our names, and what did not fit."""

    tensors: dict[str, Tensor]
    """The tensors by our names, in our shapes."""

    unused: tuple[str, ...]
    """Published names that the network never used, left out."""

    missing: tuple[str, ...]
    """Published names that the checkpoint lacks."""

    unexpected: tuple[str, ...]
    """Names in the checkpoint that are not in the published network."""

    misfits: tuple[str, ...]
    """Tensors of another shape or with another content than published, described."""

    def problems(self) -> str:
        """Return everything that did not fit in one line; empty where all did."""
        parts = {
            "missing": self.missing,
            "unexpected": self.unexpected,
            "wrong": self.misfits,
        }
        return "; ".join(
            f"{len(names)} {kind}: {_few(names)}" for kind, names in parts.items() if names
        )


def published_name(name: str, rules: tuple[Rule, ...]) -> str:
    """Return the published name of one of our tensors.

    Args:
        name: The name in our `state_dict`.
        rules: Such as `NETWORK_RULES`.
    """
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def published_shape(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the published shape of a tensor.

    Args:
        name: Its published name.
        shape: Its shape in our network.
    """
    return (1, *shape) if MODULATED_WEIGHT.search(name) else shape


def convert(
    published: Mapping[str, Tensor], network: nn.Module, rules: tuple[Rule, ...]
) -> Conversion:
    """Bring published tensors into the names and shapes of a network.

    Args:
        published: Tensors by published name, without the prefix of the whole model.
        network: `PublishedNetwork`, on any device (`meta` will do).
        rules: The rules of that network.

    Returns:
        The tensors, not copied, and what did not fit.
    """
    ours = network.state_dict()
    tensors: dict[str, Tensor] = {}
    missing, misfits = [], []
    expected = set()
    for name, own in ours.items():
        key = published_name(name, rules)
        expected.add(key)
        if key not in published:
            missing.append(key)
            continue
        shape = published_shape(key, tuple(own.shape))
        if tuple(published[key].shape) != shape:
            misfits.append(f"{key} has shape {tuple(published[key].shape)}, expected {shape}")
            continue
        tensors[name] = published[key].reshape(own.shape)
    others = sorted(published.keys() - expected)
    filters = [key for key in others if FILTER.search(key)]
    unused = [key for key in others if UNUSED.search(key)]
    misfits += [
        f"{key} is not the published filter" for key in filters if not _is_filter(published[key])
    ]
    return Conversion(
        tensors=tensors,
        unused=tuple(unused),
        missing=tuple(missing),
        unexpected=tuple(key for key in others if key not in {*filters, *unused}),
        misfits=tuple(misfits),
    )


def _is_filter(kernel: Tensor) -> bool:
    """Say whether a kernel is the one of our layers, of sum 1 (smoothing) or 4 (doubling)."""
    ours = fir_kernel(torch.empty(0))
    return kernel.shape == ours.shape and any(
        torch.allclose(kernel.float(), ours * gain) for gain in (1, 4)
    )


def _few(names: tuple[str, ...], limit: int = 3) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
