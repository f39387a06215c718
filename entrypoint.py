"""The Action's container starts here: environment in, exit code out. Run as `python -I /app/entrypoint.py`.

Isolated mode keeps PYTHONHOME and PYTHONPATH of earlier steps out, and with them the folder of this file: it is added.
"""

import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))

from model_dockerize.job_environment import take

if __name__ == "__main__":
    # A container's first process ignores a signal that it has no handler for, and a job may be cancelled at once.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: sys.exit(128 + received))
    job = take()

from model_dockerize.action import main

if __name__ == "__main__":
    # -I also ignores PYTHONUTF8, and the job's locale is not ours to trust.
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(main(job, sys.stdout, sys.argv[1:]))
