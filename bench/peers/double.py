# ruff: noqa: PTH123 - as the library's users write it
"""The same function as a program of the public `gravityai` library, unmodified."""

from gravityai import gravityai as grav


def process(input_path, output_path):
    with open(input_path) as file:
        value = int(file.read())
    with open(output_path, "w") as file:
        file.write(str(2 * value))


grav.wait_for_requests(process)
