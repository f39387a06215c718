"""Runs the model's program under its own Python, by the standard library only; see runner.py."""
