"""A fake of the sandbox's Docker Engine: containers whose ends are told in advance, and a list of what was done."""

from collections.abc import Iterator
from typing import Any

from model_sandbox.container_spec import ContainerSpec
from model_sandbox.engine import ContainerState, PullError, StartError
from model_sandbox.tokens import Scope

RUNNING = ContainerState(None, False, "", "172.17.0.9")
ENDED = ContainerState(0, False, "", "")


class FakeEngine:
    """`states`: what each look at a container finds, the last forever; `prints`: its output, of which a follower
    gets nothing, as of an engine under load: who drains it reads it once more.

    `happened` has all that was done, in order, but not the looks; `specs` what was started.
    """

    def __init__(self, *states: ContainerState | None, prints: bytes = b"") -> None:
        self.states, self.prints = list(states or (ENDED,)), prints
        self.happened: list[Any] = []
        self.specs: list[ContainerSpec] = []
        self.cannot_pull = self.cannot_start = ""

    def pull(self, image: str, scope: Scope) -> str:
        if self.cannot_pull:
            raise PullError(self.cannot_pull)
        self.happened.append(("pull", image, scope))
        return f"sha256:of-{image}"

    def container_name(self, *parts: str) -> str:
        return "-".join(("fake", *parts))

    def start(self, spec: ContainerSpec) -> str:
        if self.cannot_start:
            raise StartError(self.cannot_start)
        self.specs.append(spec)
        identity = f"container-{len(self.specs)}"
        self.happened.append(("start", identity))
        return identity

    def state(self, container: str) -> ContainerState | None:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def stop(self, container: str, seconds: int) -> None:
        self.happened.append(("stop", container, seconds))

    def remove(self, container: str) -> None:
        self.happened.append(("remove", container))

    def output(self, container: str, follow: bool) -> Iterator[bytes]:
        yield b"" if follow else self.prints
