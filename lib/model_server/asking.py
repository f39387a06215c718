"""Headers of our own requests to a server; imports next to nothing."""

from collections.abc import Mapping


def headers(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an API key and an allowed host, where needed."""
    found = {}
    keys = next((value.split() for name, value in sorted(environment.items()) if name.startswith("MODEL_API_KEY")), [])
    if keys and keys[0].isascii():
        found["x-api-key"] = keys[0]
    hosts = environment.get("MODEL_ALLOWED_HOSTS", "").replace(",", " ").split()
    if hosts:
        found["Host"] = hosts[0]
    return found
