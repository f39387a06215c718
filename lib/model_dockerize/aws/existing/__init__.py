"""Reads what is there: whose, by which inputs, and what stays."""
