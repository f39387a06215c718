"""Reads what is there before we come: whose it is, by which inputs, and what of it stays."""
