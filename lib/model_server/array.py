"""Input and output of an AWS Batch array job's child.

`model-dockerize submit` writes `input`: `list:`, then the lines as LZMA (alone format) in URL-safe base64.
"""

import base64
import binascii
import lzma
from collections.abc import Mapping

from model_server.errors import StartError

_LIST = "list:"
_INDEX = "AWS_BATCH_JOB_ARRAY_INDEX"


def pick(source: str, target: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """Return this child's input and output; without a list, both unchanged.

    Args:
        target: `{name}` stands for the input's file name without suffix.
    """
    if not source.startswith(_LIST):
        return source, target
    index = environment.get(_INDEX, "").strip()
    if not index.isdecimal():
        raise StartError(f"the input is a list, but {_INDEX} does not say which line of it: submit an array job")
    lines = _lines(source.removeprefix(_LIST))
    if int(index) >= len(lines):
        raise StartError(f"the list has {len(lines)} lines, there is none for child {index}")
    chosen = lines[int(index)]
    name = chosen.rsplit("/", 1)[-1]
    stem = name.rsplit(".", 1)[0]
    return chosen, target.replace("{name}", stem if stem.strip(".") else name)  # of `...csv` the stem leads a folder up


def _lines(packed: str) -> list[str]:
    try:
        return lzma.decompress(base64.urlsafe_b64decode(packed), format=lzma.FORMAT_ALONE).decode().split("\n")
    except (binascii.Error, lzma.LZMAError, ValueError, EOFError) as error:
        raise StartError(f"the list of inputs cannot be read: {error}") from error
