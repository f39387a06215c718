"""The stories of deployments: what becomes of each, second by second."""

from dataclasses import dataclass

NEVER = float("inf")


@dataclass(frozen=True)
class Story:
    """The course of a deployment; times in seconds after it was asked for."""

    steady: float = NEVER  # ECS calls it complete
    runs: float = 2.0  # its tasks are RUNNING
    visible: float = 0.0  # every reader sees it
    dies: tuple[float, ...] = ()  # a task of it stops, each time
    fails: float = NEVER  # the circuit breaker trips
    back: float = NEVER  # what was before is complete again; NEVER with `fails`: no rollback
    back_fails: float = NEVER  # the rollback is given up
    superseded: float = NEVER  # somebody else deploys iris:99
    paused: float = NEVER  # a hook waits for a person
    stopped: float = NEVER  # somebody stops it
    deleted: float = NEVER  # somebody deletes the service
    alarmed: float = NEVER  # an alarm goes off: where traffic shifts
    hook_fails: float = NEVER  # somebody's Lambda hook says FAILED: where traffic shifts
    drained: float = 0.0  # seconds after `steady` until the tasks of before are gone
    exit_code: int = 1
    log: tuple[str, ...] = ("loading the model", "ImportError: no module named 'weights'")


@dataclass(frozen=True)
class Course:
    """A deployment, and where it is in its story at a moment."""

    number: int
    definition: str  # family:revision
    begun: float
    story: Story
    kind: str = "asked"  # asked for by a client of ours; rollback; other
    desired: int = 1
    replaced: float = NEVER  # when a newer one took over

    def since(self, now: float) -> float:
        return now - self.begun

    def state(self, now: float) -> str:
        age = min(self.since(now), self.replaced - self.begun)
        if age >= self.story.fails:
            return "FAILED"
        return "COMPLETED" if age >= self.story.steady else "IN_PROGRESS"

    def deaths(self, now: float) -> int:
        return sum(1 for at in self.story.dies if self.since(now) >= at)

    def running(self, now: float) -> int:
        alive = self.since(now) >= self.story.runs > max(self.story.dies, default=-1) and self.state(now) != "FAILED"
        return self.desired if alive else 0
