"""Reads subnets and security groups."""
