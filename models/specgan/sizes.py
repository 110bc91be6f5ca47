"""The numbers that networks are built of, as configurations and weights files give them."""

MOST_SIZE = 4096
"""The largest number that a network is built of: beyond lie typing errors and damaged files."""


def check_size(name: str, found: object, least: int = 1) -> None:
    """Check a number that a network is built of.

    Args:
        name: What the number is called.
        found: The number, or what was given in its place.
        least: The smallest that makes a network.

    Raises:
        ValueError: It is no whole number from `least` to `MOST_SIZE`.
    """
    if type(found) is not int or not least <= found <= MOST_SIZE:
        raise ValueError(f"{name}: {found!r} should be a whole number from {least} to {MOST_SIZE}")


def check_sizes(name: str, found: object, count: int, least: int = 1) -> None:
    """Check a tuple of such numbers, as `check_size` does one.

    Args:
        name: What the numbers are called.
        found: The numbers, or what was given in their place.
        count: How many there have to be.
        least: The smallest of them that makes a network.

    Raises:
        ValueError: They are not `count` whole numbers from `least` to `MOST_SIZE`.
    """
    if not isinstance(found, tuple) or len(found) != count:
        raise ValueError(f"{name}: {found!r} should be a list of {count} whole numbers")
    for position, value in enumerate(found):
        check_size(f"{name}.{position}", value, least)
