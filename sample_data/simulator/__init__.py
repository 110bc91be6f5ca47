"""A simulator of small villages: ground truth, light and the two sensors that look at it."""

from simulator.sensors import Spectrometer, camera_rgb, default_spectrometer
from simulator.truth import Truth
from simulator.village import simulate

__all__ = ["Spectrometer", "Truth", "camera_rgb", "default_spectrometer", "simulate"]
