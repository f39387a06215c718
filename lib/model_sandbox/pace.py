"""The pace of the minutes that a deployment waits: as on AWS, until somebody asks for faster ones."""

from dataclasses import dataclass


@dataclass
class Pace:
    """The seconds that a minute of a bake or a pause lasts."""

    minute: float = 60.0
