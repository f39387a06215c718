"""Follows a deployment to its verdict."""
