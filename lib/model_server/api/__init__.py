"""The container API over HTTP: one module for each group of routes."""
