"""Rights that the sandbox gives up, as the kernel is asked for it."""

from types import SimpleNamespace
from typing import Any

import pytest

from model_sandbox import rights

ALL = 2**32 - 1
#: CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_NET_BIND_SERVICE of capabilities(7).
KEPT = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 10


class Kernel:
    """A fake of the C library's calls about rights. `fails`: the call that answers with an error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, user: int, permitted: int = ALL, fails: str = "") -> None:
        self.asked: list[Any] = []
        self._permitted, self._fails = permitted, fails
        fake = SimpleNamespace(
            CDLL=self._library, get_errno=lambda: 1, byref=lambda each: each, Structure=rights.ctypes.Structure
        )
        monkeypatch.setattr(rights, "ctypes", fake)
        monkeypatch.setattr(rights, "os", SimpleNamespace(geteuid=lambda: user))

    def _library(self, name: None, use_errno: bool) -> Any:
        assert (name, use_errno) == (None, True)
        return SimpleNamespace(prctl=self._prctl, capget=self._capget, capset=self._capset)

    def _prctl(self, *given: int) -> int:
        self.asked.append(("prctl", *given))
        if given[0] == 24:
            return -1 if given[1] > 40 else 0  # this kernel knows no more
        return -1 if self._fails == "prctl" else 0

    def _capget(self, header: Any, sets: Any) -> int:
        self.asked.append(("capget", header.version, header.pid))
        sets[0].permitted = self._permitted
        return 0

    def _capset(self, header: Any, sets: Any) -> int:
        words = [(each.effective, each.permitted, each.inheritable) for each in sets]
        self.asked.append(("capset", header.version, header.pid, words))
        return -1 if self._fails == "capset" else 0


NO_NEW = ("prctl", 38, 1, 0, 0, 0)
VERSION_3 = 0x20080522


def test_another_user_only_gains_none(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch, user=1000)
    rights.give_up()
    assert kernel.asked == [NO_NEW]


@pytest.mark.parametrize(("permitted", "kept"), [(ALL, KEPT), (1 << 0 | 1 << 5, 1 << 0)])
def test_root_keeps_four(monkeypatch: pytest.MonkeyPatch, permitted: int, kept: int) -> None:
    kernel = Kernel(monkeypatch, user=0, permitted=permitted)
    rights.give_up()
    dropped = [("prctl", 24, number, 0, 0, 0) for number in range(64) if number not in (0, 1, 3, 10)]
    assert kernel.asked == [
        *(NO_NEW, *dropped, ("capget", VERSION_3, 0)),
        ("capset", VERSION_3, 0, [(kept, kept, 0), (0, 0, 0)]),
    ]


@pytest.mark.parametrize(("fails", "told"), [("prctl", "prctl(PR_SET_NO_NEW_PRIVS)"), ("capset", "capset")])
def test_a_kernel_that_refuses_is_an_error(monkeypatch: pytest.MonkeyPatch, fails: str, told: str) -> None:
    Kernel(monkeypatch, user=0, fails=fails)
    with pytest.raises(OSError, match=r"^\[Errno 1\]") as caught:
        rights.give_up()
    assert (caught.value.errno, caught.value.strerror) == (1, told)
