"""How a cube lies on a scene, measured."""
