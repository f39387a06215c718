"""Finds the library for main.py and main_b.py, wherever they are called from and by whichever Python."""

import os
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_OWN = _ROOT / ".venv" / "bin" / "python"


def command_line(*arguments):  # type: ignore[no-untyped-def] # old Pythons read this too, to be told what to do
    """Run `model-dockerize` with these arguments, by the checkout's own Python where this one lacks the packages."""
    sys.path.insert(0, str(_ROOT / "lib"))
    try:
        from model_dockerize.cli import cli  # noqa: PLC0415 - it may not be there
    except (ImportError, SyntaxError) as error:  # packages that are missing, or a Python older than 3.11
        if _OWN.exists() and Path(sys.prefix) != _OWN.parent.parent:
            os.execv(str(_OWN), [str(_OWN), *sys.argv])  # noqa: S606 - no shell is wanted
        sys.exit(
            f"model-dockerize cannot start with Python {sys.version.split()[0]}: {error}.\n"
            f"Make what it needs, once: cd {_ROOT} && . scripts/setup.sh && setup_python main"
        )
    cli(list(arguments), prog_name="model-dockerize")
