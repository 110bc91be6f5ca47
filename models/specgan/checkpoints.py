"""Weights files: safetensors with a JSON header, from which a network is rebuilt.

What is asked about a file (`names`, `read_header`, `sha256`) is answered without torch.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from specgan import files
from specgan._version import __version__
from specgan.errors import WeightsError
from specgan.header import Header, read_layout

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from specgan.published.network import PublishedNetwork
    from specgan.scene.network import SceneNetwork

WEIGHTS = Path(__file__).parent / "weights"
"""The folder of the weights that are shipped inside the package."""

SUFFIX = ".safetensors"
METADATA_KEY = "specgan"
MEANS = "-means"
"""Ends the name of a second set, which was trained for means: what `fidelity` mixes in."""


def names() -> list[str]:
    """Return the names of the shipped weights, sorted."""
    return sorted(path.stem for path in WEIGHTS.glob(f"*{SUFFIX}"))


def resolve(name_or_path: str | os.PathLike[str]) -> Path:
    """Return the file of shipped weights, or the path of a user's own.

    Args:
        name_or_path: A name out of `names()`, or a path to a file.

    Raises:
        WeightsError: Neither a shipped name nor a file.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    text = os.fspath(name_or_path)
    if text in names():
        return WEIGHTS / f"{text}{SUFFIX}"
    shipped = ", ".join(names()) or "none"
    if path.is_dir():
        raise WeightsError(f"{path} is a folder; expected a {SUFFIX} file")
    if path.suffix or len(path.parts) > 1:
        raise WeightsError(f"no weights file {path}; shipped weights are: {shipped}")
    raise WeightsError(
        f"unknown weights {text!r}; shipped weights are: {shipped}; "
        f"give one of them or the path of a {SUFFIX} file"
    )


def sha256(name_or_path: str | os.PathLike[str], *, fidelity: float = 0.0) -> str:
    """Return the SHA-256 of a weights file in hexadecimal, for the tags of what it makes.

    Args:
        name_or_path: As for `load`.
        fidelity: As for `load`; above 0 that of the second set follows behind a `+`.

    Raises:
        WeightsError: No such weights, or `fidelity` without a second set.
    """
    path = resolve(name_or_path)
    parts = (path, _means_of(path)) if fidelity else (path,)
    return "+".join(files.sha256(part) for part in parts)


def read_header(name_or_path: str | os.PathLike[str]) -> Header:
    """Read the header of a weights file without its tensors, and check the file's layout.

    Args:
        name_or_path: As for `load`.

    Raises:
        WeightsError: No such file, no safetensors file, a truncated one, or one whose header is
            missing or damaged.
    """
    path = resolve(name_or_path)
    layout = read_layout(path)
    text = layout.metadata.get(METADATA_KEY)
    if text is None:
        found = ", ".join(sorted(layout.metadata)) or "nothing"
        raise WeightsError(
            f"{path} is a safetensors file that specgan did not write: its metadata holds {found}, "
            f"not {METADATA_KEY!r}; a published checkpoint comes in by `specgan models import`"
        )
    try:
        return Header.from_json(text)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error


def save(
    path: str | os.PathLike[str],
    network: "nn.Module",
    header: Header,
    *,
    dtype: "torch.dtype | None" = None,
) -> Path:
    """Write a network's weights and header; the same inputs give the same bytes.

    The file appears complete or not at all.

    Args:
        path: Where to, by custom `NAME.safetensors`; an existing file is replaced.
        network: The network; all its parameters and persistent buffers are written.
        header: What the weights are; an empty `version` is filled with the running one.
        dtype: The type on disk of floating-point tensors, for example `torch.float16`; None
            keeps theirs.

    Returns:
        The path.

    Raises:
        WeightsError: The header is not valid, a tensor is not finite in `dtype`, or the file
            cannot be written.
    """
    from safetensors.torch import save as serialize

    path = Path(path)
    if not header.version:
        header = replace(header, version=__version__)
    text = header.to_json()
    tensors = {key: _plain(key, value, dtype) for key, value in network.state_dict().items()}
    try:
        files.write(path, serialize(tensors, {METADATA_KEY: text}))
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"cannot write weights to {path}: {error}") from error
    return path


def load(
    name_or_path: str | os.PathLike[str] = "specgan-scene",
    device: "torch.device | str | None" = None,
    dtype: "torch.dtype | None" = None,
    *,
    fidelity: float = 0.0,
) -> "SceneNetwork | PublishedNetwork":
    """Rebuild a network from a weights file alone.

    Args:
        name_or_path: A shipped name (`names()`), or the path of a file that `save` wrote.
        device: Where the network goes; the CPU when None.
        dtype: The type of its floating-point tensors; float32 when None, whatever is on disk.
        fidelity: From 0, the weights as they are, to 1, the second set beside them, `NAME-means`,
            which was trained for the mean of what is likely and invents nothing; between, both sets
            are mixed (network interpolation, Wang et al., ESRGAN, 2018).

    Returns:
        The network in eval mode, its weights without gradients, with the file's header as its
        `header` attribute.

    Raises:
        WeightsError: No such weights; not safetensors; truncated; no specgan header; tensors
            that are missing, unexpected, of other shapes than the header's network has, or not
            finite; or `fidelity` without a second set.
    """
    path = resolve(name_or_path)
    header = read_header(path)
    network = _build(path, header)
    _fill(path, network, device, dtype)
    if fidelity:
        _mix(network, load(_means_of(path), device, dtype), fidelity)
    network.header = header
    return network.eval().requires_grad_(False)


def _means_of(path: Path) -> Path:
    """Return the file of the second set beside some weights."""
    means = path.with_name(f"{path.stem}{MEANS}{SUFFIX}")
    if not means.is_file():
        raise WeightsError(
            f"{path} has no second set {means.name} beside it, which fidelity above 0 needs"
        )
    return means


def _mix(network: "nn.Module", other: "nn.Module", share: float) -> None:
    """Move a network's weights towards those of another, of the same design."""
    theirs = other.state_dict()
    for key, value in network.state_dict().items():
        if key not in theirs or theirs[key].shape != value.shape:
            raise WeightsError(f"the second set is of another design: {key} differs")
        value.lerp_(theirs[key], share)


def _build(path: Path, header: Header) -> "SceneNetwork | PublishedNetwork":
    """Make the header's network without memory or random numbers for its tensors."""
    import torch

    with _constructing(path, header), torch.device("meta"):
        if header.architecture == "published":
            from specgan.published.network import PublishedNetwork

            return PublishedNetwork(**header.config)
        from specgan.scene.network import SceneNetwork

        return SceneNetwork(**header.config)


@contextmanager
def _constructing(path: Path, header: Header) -> Iterator[None]:
    try:
        yield
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise WeightsError(
            f"{path}: the header's config does not describe a {header.architecture} network: "
            f"{error}"
        ) from error


def _fill(
    path: Path,
    network: "nn.Module",
    device: "torch.device | str | None",
    dtype: "torch.dtype | None",
) -> None:
    """Read the tensors of a file into a network on the meta device."""
    import torch
    from safetensors.torch import load_file

    dtype = dtype or torch.float32
    _check_shapes(path, network, read_layout(path).shapes)
    try:
        tensors = load_file(path)
    except (OSError, RuntimeError, SafetensorError) as error:
        words = " ".join(str(error).split())
        raise WeightsError(f"{path} cannot be read: {words}; try again or copy it") from error
    for key, value in tensors.items():
        if not torch.isfinite(value).all():
            raise WeightsError(f"{path}: the tensor {key} holds values that are not finite")
        if value.is_floating_point():
            tensors[key] = value.to(device=device, dtype=dtype)
    network.load_state_dict(tensors, assign=True)
    network.to(device=device, dtype=dtype)


def _check_shapes(path: Path, network: "nn.Module", found: dict[str, tuple[int, ...]]) -> None:
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    problems = [
        f"{key} has shape {found[key]}, expected {expected[key]}"
        for key in sorted(expected.keys() & found.keys())
        if found[key] != expected[key]
    ]
    problems += [f"{key} is missing" for key in sorted(expected.keys() - found.keys())]
    problems += [f"{key} is not expected" for key in sorted(found.keys() - expected.keys())]
    if problems:
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        raise WeightsError(
            f"{path} does not hold the network that its header describes: "
            f"{'; '.join(problems[:3])}{more}"
        )


def _plain(key: str, value: "Tensor", dtype: "torch.dtype | None") -> "Tensor":
    import torch

    value = value.detach().cpu()
    if value.is_floating_point() and dtype is not None:
        value = value.to(dtype)
    if not torch.isfinite(value).all():
        raise WeightsError(f"the tensor {key} is not finite as {value.dtype}; nothing was written")
    value = value.contiguous()
    # A view would drag its whole storage into the file, which safetensors refuses.
    return value if value.untyped_storage().nbytes() == value.nbytes else value.clone()
