"""Answers in capitals, by the package of the folder's requirements where there is one."""

import os
import sys
from pathlib import Path

try:
    import six

    by = f"six {six.__version__}, "
except ImportError:
    by = ""
Path(sys.argv[2]).write_text(Path(sys.argv[1]).read_text().upper())
print(f"{by}Python at {sys.executable}, LD_PRELOAD={os.environ.get('LD_PRELOAD')}")
