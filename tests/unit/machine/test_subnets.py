"""The network of an engine of tests never hides a real one."""

from __future__ import annotations

import pytest

from machine.host import MachineError
from rig.subnets import free_subnet


@pytest.mark.parametrize(
    ("routes", "subnet"),
    [
        ("", "198.18.0"),
        ("default via 192.0.2.1 dev eth0\n172.17.0.0/16 dev docker0", "198.18.0"),
        ("198.18.0.0/24 dev mdfloor1 proto kernel\n198.18.2.0/24 dev mdfloor2", "198.18.1"),
    ],
)
def test_free_subnet(routes: str, subnet: str) -> None:
    assert free_subnet(routes) == subnet


def test_a_full_machine_is_told_what_to_remove() -> None:
    with pytest.raises(MachineError, match="left-over"):
        free_subnet("\n".join(f"198.18.{third}.0/24 dev x" for third in range(256)))
