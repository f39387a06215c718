"""Looks at roles, and writes what policies are made of."""
