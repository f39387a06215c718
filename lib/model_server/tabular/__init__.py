"""Structured data: MIME types, CSV and JSON."""
