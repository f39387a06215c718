"""The command that starts a runner."""

import re
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path


def runner_command(
    program: Sequence[str], manifest: Path, which: Callable[[str], str | None] = shutil.which
) -> list[str]:
    """Return the argv, with "{connection}" for the descriptor.

    The model's own Python comes first, then the image's; a compiled model gets the server's.
    """
    frozen = bool(getattr(sys, "frozen", False))
    here = (Path(sys.executable).parent if frozen else Path(__file__).parent.parent) / "model_runner"
    is_python = re.fullmatch(r"(python|pypy)[0-9.]*", Path(program[0]).name) is not None
    for name in (*program[: int(is_python)], "python3", "python"):
        interpreter = which(name)
        if interpreter is not None:
            # Isolated and without site-packages: whatever the model installed cannot disturb the runner.
            return [interpreter, "-I", "-S", str(here / "runner.py"), "{connection}", str(manifest)]
    own_python = [sys.executable, "runner"] if frozen else [sys.executable, str(here / "runner.py")]
    return [*own_python, "{connection}", str(manifest)]
