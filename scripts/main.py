#!/usr/bin/env python3
"""`python main.py Config.ini`: Dockerfile, image, ECR, job definition. The same as `model-dockerize run Config.ini`."""

import sys

from entry import command_line

if __name__ == "__main__":
    command_line("run", *(sys.argv[1:] or ["Config.ini"]))
