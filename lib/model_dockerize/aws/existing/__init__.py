"""Reads what is there."""
