"""Knows what is there before we come: whose it is, what inputs would make it, what goes on from it."""
