"""A load balancer's target, checked until it leaves."""

import http.client
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Check:
    """A target group's health check; times in seconds."""

    path: str
    interval: float
    timeout: float
    healthy: int
    unhealthy: int
    code: int

    @classmethod
    def of(cls, group: dict[str, Any]) -> "Check":
        return cls(
            path=group["HealthCheckPath"],
            interval=float(group["HealthCheckIntervalSeconds"]),
            timeout=float(group["HealthCheckTimeoutSeconds"]),
            healthy=int(group["HealthyThresholdCount"]),
            unhealthy=int(group["UnhealthyThresholdCount"]),
            code=int(group["Matcher"]["HttpCode"]),
        )


class Target:
    """`state`: initial, healthy or unhealthy; `reason` and `description` as in DescribeTargetHealth."""

    def __init__(self, address: str, port: int, check: Check, admits: Callable[[], bool]) -> None:
        self.address, self.port = address, port
        self.state, self.reason = "initial", "Elb.RegistrationInProgress"
        self.description = "Target registration is in progress"
        self._check, self._admits = check, admits
        self._good = self._bad = 0
        self._left = threading.Event()
        threading.Thread(target=self._watch, daemon=True, name=f"target-{address}").start()

    def leave(self) -> None:
        self._left.set()

    def xml(self) -> str:
        why = f"<Reason>{self.reason}</Reason><Description>{self.description}</Description>" if self.reason else ""
        return (
            f"<member><Target><Id>{self.address}</Id><Port>{self.port}</Port></Target>"
            f"<TargetHealth><State>{self.state}</State>{why}</TargetHealth></member>"
        )

    def _watch(self) -> None:
        while not self._left.is_set():
            self._take_in(*self._look())
            self._left.wait(self._check.interval)

    def _take_in(self, reason: str, description: str) -> None:
        """Let one success admit a new target; afterwards the thresholds count."""
        if not reason:
            self._good, self._bad = self._good + 1, 0
            if self.state == "initial" or self._good >= self._check.healthy:
                self.state, self.reason, self.description = "healthy", "", ""
            return
        self._good, self._bad = 0, self._bad + 1
        if self._bad >= self._check.unhealthy:
            self.state, self.reason, self.description = "unhealthy", reason, description

    def _look(self) -> tuple[str, str]:
        if not self._admits():
            return "Target.Timeout", "Request timed out"
        connection = http.client.HTTPConnection(self.address, self.port, timeout=self._check.timeout)
        try:
            connection.request("GET", self._check.path, headers={"User-Agent": "ELB-HealthChecker/2.0"})
            status = connection.getresponse().status
        except TimeoutError:
            return "Target.Timeout", "Request timed out"
        except (OSError, http.client.HTTPException):
            return "Target.FailedHealthChecks", "Health checks failed"
        finally:
            connection.close()
        if status != self._check.code:
            return "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{status}]"
        return "", ""


def eligible(targets: Iterable[Target]) -> list[Target]:
    """Return those that get requests: the healthy ones, else the unhealthy ones; never one that is `initial`.

    Source: user guide, "Health checks for Application Load Balancer target groups" (where all are unhealthy it fails
    open); AWS Load Balancer Controller, "Pod readiness gate" (where all are `initial` or `draining` nobody answers).
    """
    known = list(targets)
    by_state = ([target for target in known if target.state == state] for state in ("healthy", "unhealthy"))
    return next(filter(None, by_state), [])
