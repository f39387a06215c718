#!/usr/bin/env python3
"""`python main_b.py BatchConfig.yml AwsConfig.ini`: the Batch environment. The same as `model-dockerize batch ...`."""

import sys

from entry import command_line


def main():  # type: ignore[no-untyped-def] # old Pythons read this too
    """Run with the named files, or with those of the current folder."""
    command_line("batch", *(sys.argv[1:] or ["BatchConfig.yml", "AwsConfig.ini"]))


if __name__ == "__main__":
    main()
