"""Short configurations for the trainer's tests."""

TINY = {
    "channels": [8, 8, 8, 8, 8, 8],
    "bank_convs": [1, 1, 1, 1, 1],
    "encoder_channels": 8,
    "growth": 4,
    "dense_layers": 1,
    "dense_blocks": 1,
    "window": 3,
    "code": 8,
}
"""Options of a scene network that trains in moments."""

STAGES = """
recipe = "scene"
checkpoint_every = 4
log_every = 1
[network.options]
channels = [8, 8, 8, 8, 8, 8]
bank_convs = [1, 1, 1, 1, 1]
encoder_channels = 8
growth = 4
dense_layers = 1
dense_blocks = 1
window = 3
code = 8
[discriminator]
channels = 4
[validation]
every = 5
chips = 1
crop = 1
[[stages]]
octaves = [1, 1]
steps = 3
crop = 3
batch = 2
[[stages]]
octaves = [2, 3]
steps = 3
crop = 2
batch = 2
teacher = true
gan = 0.1
feature_matching = 0.1
r1_every = 2
[[stages]]
octaves = [1, 5]
steps = 4
crop = 1
batch = 1
accumulate = 2
gan = 0.1
"""
"""Ten steps through every kind of stage."""
