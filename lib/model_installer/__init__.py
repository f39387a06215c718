"""Installs a program's packages while its image is built, by uv where that does what pip would, else by pip.

It runs under the model's own Python (3.6 and newer), and needs nothing but the standard library. The build mounts it,
with uv beside it, for the steps that install: neither is in the image.
"""
