"""The course of a deployment that shifts traffic."""

import secrets
from dataclasses import dataclass, field

from model_sandbox.ecs.strategy import Strategy


@dataclass
class Hook:
    """A PAUSE hook that was reached. Times in epoch seconds."""

    stage: str
    expires_at: float
    action: str
    identity: str = field(default_factory=lambda: f"ecs-pause-{secrets.token_urlsafe(32)}")
    status: str = "AWAITING_ACTION"

    @property
    def waits(self) -> bool:
        return self.status == "AWAITING_ACTION"


@dataclass
class Course:
    """A deployment's stage. `production`, `test`: the new revision's percent."""

    strategy: Strategy
    stage: str = ""
    since: float = 0.0
    shifts: int = 0
    production: float = 0.0
    test: float = 0.0
    hooks: list[Hook] = field(default_factory=list)
    is_back: bool = False

    def enter(self, stage: str, now: float, minute: float) -> None:
        """Begin a stage and its hooks. `minute`: its seconds."""
        self.stage, self.since = stage, now
        if not self.is_back:
            pauses = (pause for pause in self.strategy.pauses if stage in pause.stages)
            self.hooks += [Hook(stage, now + pause.minutes * minute, pause.action) for pause in pauses]
