"""Runs the model's program under the model's own Python. One file, standard library only: see runner.py."""
