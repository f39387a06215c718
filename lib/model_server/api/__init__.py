"""The container API over HTTP."""
