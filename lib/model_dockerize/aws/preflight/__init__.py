"""Asks an account, before anything is made, what stands against a run."""
