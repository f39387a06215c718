"""Runs the model's program under its own Python; see runner.py."""
