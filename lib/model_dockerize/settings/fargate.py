"""The sizes that Fargate sells (the table of AWS's "Task CPU and memory"; the API documents the same one)."""

from model_dockerize.errors import InputError

#: CPU units -> (least, most, step) of memory in MiB. 256 units are special: 512, 1024, 2048.
_SIZES = {
    256: (512, 2048, 512),
    512: (1024, 4096, 1024),
    1024: (2048, 8192, 1024),
    2048: (4096, 16384, 1024),
    4096: (8192, 30720, 1024),
    8192: (16384, 61440, 4096),
    16384: (32768, 122880, 8192),
}


def memories(cpu: int) -> tuple[int, ...]:
    """The memories (MiB) that go with `cpu` units; none for a `cpu` that Fargate does not sell."""
    if cpu not in _SIZES:
        return ()
    least, most, step = _SIZES[cpu]
    return tuple(m for m in range(least, most + 1, step) if (cpu, m) != (256, 1536))


def check_size(cpu: int, memory: int) -> None:
    """Raises InputError, naming the nearest pair large enough, if Fargate does not sell `cpu` with `memory` MiB."""
    if memory in memories(cpu):
        return
    cpu_fits, memory_fits = nearest(cpu, memory)
    raise InputError(
        f"Fargate has no task of cpu {cpu} with memory {memory}.",
        remedy=f"The nearest that is large enough: cpu: {cpu_fits}, memory: {memory_fits}.",
        details=tuple(f"cpu {c}: memory {_range(c)} MiB" for c in _SIZES),
    )


def nearest(cpu: int, memory: int) -> tuple[int, int]:
    """The smallest pair that is at least `cpu` and `memory`; the largest there is if nothing is."""
    for c in _SIZES:
        for m in memories(c):
            if c >= cpu and m >= memory:
                return c, m
    largest = max(_SIZES)
    return largest, max(memories(largest))


def _range(cpu: int) -> str:
    least, most, step = _SIZES[cpu]
    return "512, 1024 or 2048" if cpu == 256 else f"{least} to {most} by {step}"
