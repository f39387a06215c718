"""Finds the proxies that a build needs."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from socket import inet_aton
from urllib.parse import SplitResult, unquote, urlsplit

# BuildKit gives these to every step, in both cases, and keeps them out of image, history and cache key.
# Source: https://docs.docker.com/build/building/variables/#pre-defined-build-arguments
_NAMES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")


def forwarded(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Name the proxy variables that hold inside a build."""
    loopback = unreachable(environment)
    return tuple(name for name in _given(environment) if name not in loopback)


def unreachable(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Name variables with a proxy on loopback, out of a build's reach."""
    return tuple(
        name
        for name in _given(environment)
        if name.lower() != "no_proxy" and _is_loopback(_address(environment[name]).hostname or "")
    )


def passwords(environment: Mapping[str, str]) -> tuple[str, ...]:
    """List the proxies' passwords, percent-encoded and decoded."""
    found = [_password(environment[name]) for name in _given(environment) if name.lower() != "no_proxy"]
    return tuple(dict.fromkeys(text for password in found for text in (password, unquote(password)) if text))


def _given(environment: Mapping[str, str]) -> Iterator[str]:
    # As curl and Python do, prefer lower case.
    for name in _NAMES:
        yield from [spelt for spelt in (name, name.upper()) if environment.get(spelt)][:1]


def _address(text: str) -> SplitResult:
    try:
        return urlsplit(text if "://" in text else f"//{text}")
    except ValueError:
        return urlsplit("")


def _password(text: str) -> str:
    # A password may hold / ? # [ ].
    user = text.partition("://")[2] or text
    return user.rpartition("@")[0].partition(":")[2]


def _is_loopback(host: str) -> bool:
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        try:
            address = ip_address(inet_aton(host))  # 127.1, as curl and the C library read it
        except OSError:
            return False
    return address.is_loopback or address.is_unspecified
