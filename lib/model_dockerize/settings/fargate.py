"""Fargate's sizes (AWS: "Task CPU and memory"; the API documents the same table)."""

from model_dockerize.errors import InputError

#: CPU units -> memory in MiB.
_SIZES: dict[int, tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4096 + 1, 1024)),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16384 + 1, 1024)),
    4096: tuple(range(8192, 30720 + 1, 1024)),
    8192: tuple(range(16384, 61440 + 1, 4096)),
    16384: tuple(range(32768, 122880 + 1, 8192)),
    32768: (61440, 122880, 249856),
}


def memories(cpu: int) -> tuple[int, ...]:
    """Return the memories (MiB) for `cpu` units."""
    return _SIZES.get(cpu, ())


def is_sold(memory: int) -> bool:
    return any(memory in sizes for sizes in _SIZES.values())


def check_size(cpu: int, memory: int) -> None:
    """Raise InputError, naming the nearest pair, if this one is not sold."""
    if memory in memories(cpu):
        return
    cpu_fits, memory_fits = nearest(cpu, memory)
    raise InputError(
        f"Fargate has no task of cpu {cpu} with memory {memory}.",
        remedy=f"The nearest that is large enough: cpu: {cpu_fits}, memory: {memory_fits}.",
        details=tuple(f"cpu {c}: memory {_range(c)} MiB" for c in _SIZES),
    )


def nearest(cpu: int, memory: int) -> tuple[int, int]:
    """Return the smallest sufficient pair, else the largest."""
    for c in _SIZES:
        for m in memories(c):
            if c >= cpu and m >= memory:
                return c, m
    largest = max(_SIZES)
    return largest, max(memories(largest))


def _range(cpu: int) -> str:
    few = _SIZES[cpu]
    if len(few) == 3:
        return f"{few[0]}, {few[1]} or {few[2]}"
    return f"{few[0]} to {few[-1]} by {few[1] - few[0]}"
