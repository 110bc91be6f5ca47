"""The configuration of a training run: one frozen dataclass a TOML table."""

import dataclasses
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Recipe = Literal["scene", "published"]
Size = Literal["small", "base"]
Context = Literal["local", "edge", "halo"]


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
class DiscriminatorConfig:
    """The octave discriminators of the scene recipe; `[discriminator]`."""

    channels: int = 32
    """Width of the first layer."""

    depths: tuple[int, ...] = (2, 3, 3, 3, 3)
    """Halvings, one number an octave from x2 on."""

    augment: tuple[str, ...] = ("colour", "translation", "cutout")
    """Differentiable changes of what the discriminator sees; empty for none."""


@dataclass(frozen=True)
class OptimiserConfig:
    """Adam and the averaged weights; `[optimiser]`."""

    betas: tuple[float, float] = (0.5, 0.99)
    """Decay of the moments, of generator and discriminators."""

    clip: float = 1.0
    """Largest gradient norm of the generator; 0 for no limit."""

    ema: float = 0.999
    """Decay of the averaged weights per step; grows to this from 0 over the first steps."""


@dataclass(frozen=True)
class StageConfig:
    """One stage of the scene recipe; `[[stages]]`."""

    octaves: tuple[int, int] = (1, 5)
    """First and last octave that have losses; 1 is x2, 5 is x32."""

    steps: int = 1000
    """Generator steps."""

    crop: int = 12
    """LR pixels a side; smaller chips are used whole."""

    batch: int = 4
    """Samples a process and micro-batch."""

    accumulate: int = 1
    """Micro-batches a step."""

    lr: float = 5e-4
    """Peak learning rate of the generator."""

    lr_end: float = 0.1
    """Learning rate at the end of the stage, as a share of the peak (cosine)."""

    warmup: int = 50
    """Steps of linear growth of the learning rate."""

    discriminator_lr: float = 5e-4
    """Learning rate of the discriminators."""

    factors: tuple[int, ...] = (32, 16, 8)
    """Factors between LR and the stored truth; those that reach no octave of the stage are
    not used."""

    factor_weights: tuple[float, ...] = (0.6, 0.25, 0.15)
    """Shares of the factors."""

    teacher: bool = False
    """Each octave is made from the true coarser image, not from the network's own."""

    teacher_noise: float = 0.01
    """Standard deviation of the noise on true coarser images, in [-1, 1] units."""

    context: Context = "local"
    """What lies around a crop: "local" repeats edges in every layer (cheapest), "edge" repeats
    the crop's as inference does a scene's, "halo" reads the real surroundings (no teacher)."""

    l1: float = 1.0
    """Weight of the mean absolute difference."""

    chroma: float = 0.0
    """Weight of the mean absolute difference of colour without brightness."""

    texture: float = 0.0
    """Weight of the difference in the logarithms of the mean steps between neighbouring pixels,
    across and inside 2x2 blocks."""

    magnitude: float = 0.1
    """Weight of features that are out of bounds, and of what octaves propose for the coarser image:
    no other loss sees either."""

    perceptual: float = 1.0
    """Weight of the perceptual distance, where a trunk was given."""

    gan: float = 0.0
    """Weight of the adversarial loss; 0 trains no discriminator."""

    gan_ramp: int = 200
    """Steps over which the adversarial weight grows from 0."""

    feature_matching: float = 0.0
    """Weight of the difference of discriminator features; needs `gan`.  Without a perceptual trunk
    it stands in for that term, with its weight, where it is 0 itself."""

    r1: float = 0.05
    """Weight of the R1 penalty on the discriminators."""

    r1_every: int = 16
    """Steps between R1 penalties, whose weight is multiplied by it."""


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
    """Weight of the VGG16 conv4_3 difference, where that trunk was given."""

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

    compile: bool = False
    """Compile the generator with `torch.compile`."""

    network: NetworkConfig = NetworkConfig()
    """The generator."""

    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    """The octave discriminators."""

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


# The weights that the shipped ones were trained with.
_STAGE = StageConfig(l1=2.0, chroma=2.0, texture=0.1, perceptual=0.5, gan=0.3)

DEFAULT_STAGES = (
    replace(_STAGE, octaves=(1, 1), steps=4000, crop=12, batch=16),
    replace(_STAGE, octaves=(1, 2), steps=3000, crop=12, batch=8, teacher=True),
    replace(_STAGE, octaves=(1, 3), steps=2500, crop=8, batch=8, teacher=True),
    replace(_STAGE, octaves=(1, 4), steps=2000, crop=6, batch=4, teacher=True),
    replace(_STAGE, octaves=(1, 5), steps=1500, crop=4, batch=4, teacher=True),
    replace(_STAGE, octaves=(1, 5), steps=4000, crop=6, batch=4, lr=2e-4),
)
"""One octave more a stage, made from true coarser images, then all on the network's own.

The octaves before it keep their losses: all share the encoder, which would drift away from them.
"""
