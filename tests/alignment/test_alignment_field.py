"""Where a displacement field is looked for."""

import numpy as np
from affine import Affine

import displaced_pairs as pairs
from specgan_cli.alignment.estimate import align
from specgan_cli.cubes.cube import Cube
from specgan_cli.raster.scene import Scene

RATIO, PAD = 2, 8


def test_a_warp_of_one_corner_of_a_large_cube_is_followed(tmp_path):
    ground = np.rint(pairs.texture(2 * 170 + 2 * PAD))

    def corner(rows, cols):
        bump = np.exp(-((rows - 20) ** 2 + (cols - 145) ** 2) / (2 * 20**2))
        return 1.2 * bump, -0.9 * bump

    seen = pairs.see_warped(ground, RATIO, PAD, corner)
    transform = pairs.scene_transform() @ Affine.translation(PAD, PAD) @ Affine.scale(RATIO)
    scene_path = pairs.write_scene(tmp_path / "s.tif", ground, pairs.scene_transform())
    cube_path = pairs.write_cube(tmp_path / "c.tif", pairs.cube_of(seen), transform)
    with Scene.open(scene_path) as scene, Cube.open(cube_path) as cube:
        found = align(scene, cube)
    assert found.field is not None
