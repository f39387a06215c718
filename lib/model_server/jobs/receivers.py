"""The addresses that a callback may call: none of our own."""

import asyncio
import socket
from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


class OwnAddressError(Exception):
    """The receiver is this computer, or its platform at a link-local address."""


def is_own(address: str) -> bool:
    """Tell whether it is of this computer or its link (a cloud's metadata)."""
    ip = ip_address(address.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast


async def address_of(url: str) -> str | None:
    """Look up the receiver once: what is checked is called. None: a proxy looks it up.

    Raises:
        OwnAddressError: it is ours.
    """
    parts = urlsplit(url)
    host, proxies = parts.hostname or "", getproxies()
    if {parts.scheme, "all"} & set(proxies) and not proxy_bypass(parts.netloc):
        return None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(place[0]) for *_, place in found]
    if any(map(is_own, addresses)):
        raise OwnAddressError
    return addresses[0]
