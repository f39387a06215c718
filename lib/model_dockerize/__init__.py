"""Takes a model's program folder to a proved container in production."""

__version__ = "1.0.0"
