"""What a run must know of its weights before it loads them, and torch with them."""

from dataclasses import dataclass

from specgan import checkpoints
from specgan.header import Header
from specgan.scene.config import SCALES
from specgan_cli.errors import WeightsError
from specgan_cli.inference.request import ComputeOptions


@dataclass(frozen=True)
class Weights:
    """One set of weights, as its file describes it."""

    header: Header
    """What the weights say about themselves."""

    sha256: str
    """Of the weights file; with a second set mixed in, of both."""

    @property
    def published(self) -> bool:
        """Whether they are the published network's: it needs a cube, and knows no chance."""
        return self.header.architecture == "published"


def read_weights(compute: ComputeOptions) -> Weights:
    """Read what the weights say about themselves.

    Raises:
        WeightsError: Unknown or damaged weights, or such as do not serve the scale that was asked
            for.
    """
    header = checkpoints.read_header(compute.weights)
    check_scale(header, compute)
    return Weights(header, checkpoints.sha256(compute.weights, fidelity=compute.fidelity))


def check_scale(header: Header, compute: ComputeOptions) -> None:
    """Raise unless the weights serve the scale that was asked for.

    Raises:
        WeightsError: They do not; the message lists the scales that they serve.
    """
    scales = served_scales(header)
    if compute.scale not in scales:
        listed = ", ".join(str(scale) for scale in scales)
        raise WeightsError(
            f"weights {compute.weights} do not serve -x {compute.scale}; they serve {listed}"
        )


def served_scales(header: Header) -> tuple[int, ...]:
    """Return the factors that weights serve, in rising order."""
    if header.architecture == "published":
        return (header.scale,)
    return tuple(scale for scale in SCALES if scale <= header.scale)
