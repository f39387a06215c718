"""Garbage collection of the processes that test."""

import gc


def collect_seldom() -> None:
    """Look for garbage seldom from now on, and never in what is there.

    Modules and botocore's models are millions of objects that stay: to walk through them takes a quarter of the time of
    tests that call AWS's stand-ins.
    """
    gc.freeze()
    gc.set_threshold(50_000)
