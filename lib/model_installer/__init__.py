"""Installs a program's packages during its build, by uv where it does what pip would.

It runs under the model's Python (3.6 and newer), and stays out of the image.
"""
