"""Runs the model's program under the model's own Python. Standard library only; see runner.py."""
