"""The configuration of a training run: one frozen dataclass a TOML table."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from specgan.scene.config import SCALES

Recipe = Literal["scene", "published"]
Size = Literal["small", "base"]
Context = Literal["local", "mirror", "halo"]
Method = Literal["muon", "adam"]
Precision = Literal["auto", "bfloat16", "float32"]


@dataclass(frozen=True)
class SourceConfig:
    """A group of chips that is drawn with one weight; `[[data.sources]]`."""

    weight: float = 1.0
    """Share of the samples, relative to the other groups."""

    id: str = "*"
    """Shell pattern that the chip's id matches."""

    group: str = "*"
    """Shell pattern that the chip's spatial group matches."""

    source: str = "*"
    """Shell pattern that the chip's source file matches."""

    hsi_kind: str = "*"
    """Shell pattern that the chip's HSI kind matches: real, simulated or none."""


@dataclass(frozen=True)
class DataConfig:
    """How samples are drawn; `[data]`."""

    sources: tuple[SourceConfig, ...] = (SourceConfig(),)
    """A chip belongs to the first group that it matches; one that matches none is left out."""

    hsi_dropout: float = 0.3
    """Probability that a sample loses its whole cube."""

    hsi_holes: float = 0.1
    """Probability that a sample loses a random rectangle of its cube."""

    hsi_bands: float = 0.6
    """Probability that a sample keeps only some bands of its cube: those of another sensor."""

    hsi_coarse: float = 0.5
    """Probability that a sample's cube is given on the LR grid alone, however fine it is."""

    hsi_gain: float = 0.25
    """Largest change of the cube's gain, as a natural logarithm: other units, other light."""

    random_phase: bool = True
    """Crops begin at any HR pixel, not only at the LR grid of the chip's corner."""

    dihedral: bool = True
    """Turn and mirror samples at random (the eight symmetries of the square)."""

    workers: int = 2
    """Threads that prepare batches ahead of the device."""


@dataclass(frozen=True)
class NetworkConfig:
    """The generator; `[network]`."""

    size: Size = "small"
    """Preset of the scene network."""

    scale: int = 32
    """Factor of the published network, 16 or 32; the scene network learns every factor."""

    options: dict[str, Any] = field(default_factory=dict)
    """Constructor keywords laid over the preset."""


@dataclass(frozen=True)
class OptimiserConfig:
    """What all stages share of their optimisers, and the averaged weights; `[optimiser]`."""

    betas: tuple[float, float] = (0.5, 0.99)
    """Decay of Adam's moments."""

    momentum: float = 0.95
    """Decay of Muon's momentum."""

    weight_decay: float = 0.02
    """Share of the learning rate by which Muon shrinks weights."""

    clip: float = 1.0
    """Largest gradient norm of what Adam updates; 0 for no limit."""

    ema: float = 0.999
    """Decay of the averaged weights per step; grows to this from 0 over the first steps."""


@dataclass(frozen=True)
class StageConfig:
    """One stage of the scene recipe; `[[stages]]`."""

    steps: int = 1000
    """Generator steps."""

    scales: tuple[int, ...] = SCALES
    """Factors that are trained; each batch has one."""

    scale_weights: tuple[float, ...] = (0.1, 0.3, 0.3, 0.15, 0.15)
    """Shares of the scales."""

    coarser: float = 0.25
    """Share of the batches whose truth is averaged to two or four times coarser pixels first: the
    network meets more pixel sizes."""

    side: int = 128
    """Output pixels a side of a crop."""

    least: int = 8
    """LR pixels a side at least; smaller chips are used whole."""

    pixels: int = 65536
    """Output pixels a process and micro-batch, which decide how many crops there are."""

    accumulate: int = 1
    """Micro-batches a step."""

    method: Method = "muon"
    """Optimiser of the generator: "muon" learns several times faster, and bounds how much more a
    layer can amplify after a step; "adam" is what is known."""

    lr: float = 5e-3
    """Peak learning rate of the generator: for Muon about 5e-3, and 6e-4 beside a discriminator;
    for Adam 2e-4."""

    lr_end: float = 0.1
    """Learning rate at the end of the stage, as a share of the peak (cosine)."""

    warmup: int = 50
    """Steps of linear growth of the learning rate."""

    discriminator_lr: float = 5e-4
    """Learning rate of the discriminator heads."""

    context: Context = "local"
    """What lies around a crop: "local" repeats edges in every layer (cheapest), "mirror"
    mirrors the crop as inference does a scene, "halo" reads the real surroundings."""

    noise: bool = False
    """Whether the latent bank has noise to make texture of."""

    l1: float = 1.0
    """Weight of the mean absolute difference of the finest octave."""

    rms: float = 0.0
    """Weight of the root mean square difference of the finest octave, which is what PSNR counts:
    the picture goes to the mean of what is likely instead of to its median."""

    coarse: float = 0.1
    """What each coarser octave weighs in `l1` and `rms`, the finest being 1."""

    perceptual: float = 0.0
    """Weight of the perceptual distance; needs a backbone (`--perceptual`)."""

    gan: float = 0.0
    """Weight of the adversarial loss, of heads on the backbone's features; needs a backbone."""

    gan_ramp: int = 100
    """Steps over which the adversarial weight grows from 0."""

    even: float = 0.0
    """Weight of steps across the 2 x 2 cells of an octave that are not like those within them."""

    lattice: float = 0.0
    """Weight of detail that every LR cell repeats."""


@dataclass(frozen=True)
class PublishedConfig:
    """The published recipe; `[published]`; the defaults are the paper's code's."""

    steps: int | None = None
    """Iterations; None for 1,000,000 at x32 and 500,000 at x16."""

    batch: int = 4
    """Samples a process."""

    lr: float = 1e-5
    """First learning rate of both optimisers."""

    lr_end: float | None = None
    """Last learning rate; None for 1e-7 at x32 and 1e-8 at x16."""

    betas: tuple[float, float] = (0.9, 0.99)
    """Decay of Adam's moments."""

    pixel: float = 1.0
    """Weight of the mean squared error."""

    perceptual: float = 1e-3
    """Weight of the VGG16 conv4_3 difference, where that backbone was given."""

    gan: float = 0.1
    """Weight of the adversarial loss."""


@dataclass(frozen=True)
class ValidationConfig:
    """Validation and samples; `[validation]`."""

    every: int = 1000
    """Steps between validations; 0 for none but the last."""

    chips: int = 16
    """At most so many chips, evenly spread over the split."""

    crop: int = 12
    """LR pixels a side of the centred crop that is measured."""

    samples: int = 4
    """Rows of the sample picture."""

    best: str = "l1"
    """The metric that names the best weights: l1, psnr, ssim, lr_psnr or perceptual."""


@dataclass(frozen=True)
class TrainConfig:
    """A whole run."""

    recipe: Recipe = "scene"
    """Which recipe."""

    seed: int = 0
    """Seed of weights, samples and noise."""

    start_stage: int = 1
    """First stage that is run (scene recipe)."""

    checkpoint_every: int = 500
    """Steps between checkpoints."""

    log_every: int = 10
    """Steps between lines of the metrics."""

    licence: str = "unknown"
    """Licence of the training data, kept in the weights' header."""

    precision: Precision = "auto"
    """Of forward passes: "auto" is bfloat16 where the device computes in it, else float32."""

    compile: bool = False
    """Compile the generator with `torch.compile`."""

    network: NetworkConfig = NetworkConfig()
    """The generator."""

    data: DataConfig = DataConfig()
    """How samples are drawn."""

    optimiser: OptimiserConfig = OptimiserConfig()
    """Adam and the averaged weights."""

    validation: ValidationConfig = ValidationConfig()
    """Validation and samples."""

    stages: tuple[StageConfig, ...] = ()
    """The scene recipe's stages; the default plan when empty."""

    published: PublishedConfig = PublishedConfig()
    """The published recipe."""

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as JSON-able values."""
        return dataclasses.asdict(self)


ADVERSARIAL = StageConfig(
    steps=700,
    lr=6e-4,
    noise=True,
    coarse=0.0,
    perceptual=1.0,
    gan=0.05,
    gan_ramp=120,
    even=0.05,
    lattice=1.0,
)
"""From fidelity to texture: what the shipped weights were trained with."""

DEFAULT_STAGES = (StageConfig(steps=20000), ADVERSARIAL)
"""Differences in place until they stop paying, then the adversarial stage."""
