"""Runs the installer: `python .../model_installer ARGUMENTS-OF-PIP-INSTALL`."""

import os
import sys

if not __package__:  # run as a folder, which Python then takes for the place of its modules
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from model_installer.install import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
