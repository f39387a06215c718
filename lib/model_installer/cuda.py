"""Measures the CUDA packages of PyTorch."""

import csv
import os
from typing import Iterable

_OF_NVIDIA = ("nvidia_", "triton-")


def size(path: Iterable[str]) -> int:
    """Return the bytes of packages that PyTorch needs for GPUs only."""
    found = {}
    for folder in dict.fromkeys(path):
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            if name.endswith(".dist-info"):
                found[name.lower()] = os.path.join(folder, name, "RECORD")
    if not any(name.startswith("torch-") for name in found):
        return 0
    return sum(_size(record) for name, record in found.items() if name.startswith(_OF_NVIDIA))


def _size(record: str) -> int:
    if not os.path.isfile(record):
        return 0
    with open(record, encoding="utf-8", newline="") as file:
        return sum(int(row[2]) for row in csv.reader(file) if len(row) > 2 and row[2].isdigit())
