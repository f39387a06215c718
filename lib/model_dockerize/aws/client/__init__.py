"""Talks to AWS: who we are, what an error means, when a call is repeated, what a plan only asks."""
