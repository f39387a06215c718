"""The container API over HTTP: one module a group of routes."""
