"""A base image of two megabytes with a shell, where no Python is needed: what is saved, loaded and pushed is small."""

from tests.rig.base_images import make_base

SMALL_BASE = "localhost/md-small-base"


def make_small_base() -> str:
    """Build SMALL_BASE; return that name. It stays in the engine."""
    return make_base("busybox", SMALL_BASE)
