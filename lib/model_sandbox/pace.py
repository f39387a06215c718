"""The pace of a deployment's minutes."""

from dataclasses import dataclass


@dataclass
class Pace:
    """The seconds that a minute lasts."""

    minute: float = 60.0
