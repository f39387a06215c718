#!/usr/bin/env python3
"""`python main_docker.py DockerConfig.ini`: main.py of a file without Batch, under its other name."""

import sys

from entry import command_line

if __name__ == "__main__":
    command_line("run", *(sys.argv[1:] or ["DockerConfig.ini"]))
