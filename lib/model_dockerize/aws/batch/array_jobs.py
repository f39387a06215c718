"""Packs inputs into few array jobs, without bucket or role.

ECS limits a task's overrides to 8,192 characters, command and Batch's variables included; Batch a SubmitJob to 30 KiB.
10,000 numbered files, or 220 with random names, take 6,000 characters.
"""

import base64
import lzma
from collections.abc import Iterator, Sequence

#: Children of an array job. Source: "Array jobs" in the AWS Batch user guide.
LARGEST = 10_000
# Of ECS's 8,192 characters, what Batch's variables, the queue's and environment's names and the JSON around them need.
_ROOM = 6_000
_SMALLEST_DICTIONARY = 4096  # bytes; liblzma takes no smaller one


def packed(inputs: Sequence[str]) -> str:
    """Return the parameter `input`, as model_server.array reads it."""
    text = "\n".join(inputs).encode()
    # The preset's dictionary is 64 MiB, which takes 40 ms to make ready and is no better.
    dictionary = max(_SMALLEST_DICTIONARY, len(text))
    filters = [{"id": lzma.FILTER_LZMA1, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": dictionary}]
    data = lzma.compress(text, format=lzma.FORMAT_ALONE, filters=filters)
    return f"list:{base64.urlsafe_b64encode(data).decode()}"


def parts(inputs: Sequence[str], output: str) -> Iterator[tuple[str, ...]]:
    """Split `inputs`, in order, into few sendable parts."""
    room, rest = _ROOM - len(output), tuple(inputs)
    while rest:
        size = _fitting(rest[:LARGEST], room)
        yield rest[:size]
        rest = rest[size:]


def place(output: str, path: str) -> str:
    """Replace `{name}` by the stem of `path`."""
    name = path.rsplit("/", 1)[-1]
    stem = name.rsplit(".", 1)[0]
    return output.replace("{name}", stem if stem.strip(".") else name)  # of `...csv` the stem leads a folder up


def too_long(path: str, output: str) -> bool:
    return len(path.encode()) + len(place(output, path).encode()) > _ROOM


def _fitting(inputs: Sequence[str], room: int) -> int:
    if len(packed(inputs)) <= room:
        return len(inputs)
    least, most = 1, len(inputs) - 1
    while least < most:
        middle = (least + most + 1) // 2
        if len(packed(inputs[:middle])) <= room:
            least = middle
        else:
            most = middle - 1
    return least
