"""Readers of the old service's files, for `settings` only."""
