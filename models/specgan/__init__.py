"""SpecGAN networks: large-factor super-resolution of RGB guided by hyperspectral cubes.

After Meng, Li, Lei, Zou and Shi, IEEE TGRS 2022, doi 10.1109/TGRS.2022.3222360.
Importing this package does not import torch; `load` does, when it is first used.
"""

from typing import TYPE_CHECKING, Any

from specgan._version import __version__
from specgan.errors import ShapeError, SpecganError, WeightsError

if TYPE_CHECKING:
    from specgan.checkpoints import load

__all__ = ["ShapeError", "SpecganError", "WeightsError", "__version__", "load"]


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    """Import `load`, and torch with it, on first use (PEP 562)."""
    if name == "load":
        from specgan.checkpoints import load

        return load
    raise AttributeError(f"module 'specgan' has no attribute {name!r}")
