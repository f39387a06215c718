"""Finds networks for engines of tests."""

from __future__ import annotations

import re

from machine.host import MachineError


def free_subnet(routes: str) -> str:
    """Return the first three numbers of a /24 network that no route of `ip -4 route` mentions.

    Raises:
        MachineError: all 256 are taken.
    """
    taken = set(re.findall(r"\b198\.18\.\d+", routes))
    for third in range(256):
        subnet = f"198.18.{third}"  # RFC 2544: never routed, so no real network of the machine is hidden
        if subnet not in taken:
            return subnet
    raise MachineError("No free 198.18.x.0/24 network is left on this machine: remove left-over md* links.")
