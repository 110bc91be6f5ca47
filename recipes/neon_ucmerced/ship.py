"""Make a default and its fidelity variant of the weights of two stages.

    python recipes/neon_ucmerced/ship.py runs/fidelity/weights.safetensors \
        runs/texture/weights.safetensors --share 0.12 --into models/specgan/weights

The default is the second stage with a share of the first mixed in; the second set, which --fidelity
mixes in further, is the first stage itself.  The discriminator heads of the second stage's run
folder, with which fine-tuning begins, come along.
"""

import argparse
import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from specgan import checkpoints
from specgan_cli.training.recipes.discriminators import ship_heads
from specgan_cli.training.recipes.networks import run_state

NAME = "specgan-scene"


def main() -> None:
    """Write NAME, NAME-means and heads/NAME."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fidelity", type=Path)
    parser.add_argument("texture", type=Path)
    parser.add_argument("--share", type=float, required=True, help="of the first in the default")
    parser.add_argument("--into", type=Path, required=True)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        default, means = (Path(folder) / f"{NAME}{end}.safetensors" for end in ("", "-means"))
        shutil.copyfile(options.texture, default)
        shutil.copyfile(options.fidelity, means)
        network = checkpoints.load(default, fidelity=options.share)
        header = checkpoints.read_header(default)
    training = header.training | {"fidelity_share": options.share}
    header = replace(header, training=training)
    checkpoints.save(options.into / default.name, network, header, dtype=torch.float16)
    shutil.copyfile(options.fidelity, options.into / means.name)
    state = run_state(str(options.texture.parent))
    assert state is not None
    ship_heads(state["recipe"], options.into / "heads" / default.name)


if __name__ == "__main__":
    main()
