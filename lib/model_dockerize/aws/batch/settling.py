"""Waits for Batch, which has no waiters."""

from collections.abc import Callable, Mapping
from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.compare import Difference, differences
from model_dockerize.aws.client.waiting import Sleep, wait_until
from model_dockerize.errors import BatchError
from model_dockerize.progress import Progress

#: Statuses of a queue or an environment that is as good as gone.
GOING = ("DELETING", "DELETED")
_SECONDS = 300.0
#: Looks, ten seconds long, at which Batch may still show the INVALID that a change has just mended.
_STALE = 7


def once_gone(aws: Aws, what: str, look: Callable[[], Any], progress: Progress, sleep: Sleep) -> Any:
    """Return what `look` finds once no deletion holds the name."""

    def late(_: Any, waited: float) -> BatchError:
        return BatchError(f"{what} is still being deleted after {waited:.0f} s.", "Run again, or choose another name.")

    now = wait_until(
        look,
        lambda seen: seen is None or seen["status"] != "DELETING" or aws.only_asks,
        _SECONDS,
        late,
        sleep,
        begin=lambda: progress.info(f"{what}: waiting until the old one of that name is gone"),
    )
    return None if now is None or now["status"] in GOING else now


def unlike(there: Any, wanted: Mapping[str, Any]) -> list[Difference]:
    """Return differences; INVALID is one: Batch rechecks only what changes."""
    is_invalid = there.get("status") == "INVALID"
    return differences(wanted, there) or ([Difference("status", "INVALID", "VALID")] if is_invalid else [])


def until_valid(aws: Aws, what: str, look: Callable[[], Any], former: str, sleep: Sleep) -> None:
    """Wait until it is VALID; `former` is its status before.

    Raises:
        BatchError: it is INVALID, or late.
    """
    if aws.only_asks:
        return
    seen = [former]

    def is_over(now: Any) -> bool:
        if now is None or now["status"] == "VALID":
            return True
        seen.append(now["status"])
        return now["status"] == "INVALID" and (set(seen) != {"INVALID"} or len(seen) > _STALE)

    def late(now: Any, waited: float) -> BatchError:
        return BatchError(
            f"{what} is still {now['status']} after {waited:.0f} s: {now.get('statusReason', '')}",
            "Run again: it is found and waited for.",
        )

    now = wait_until(look, is_over, _SECONDS, late, sleep)
    if now is not None and now["status"] == "INVALID":
        raise BatchError(
            f"{what} is INVALID: {now.get('statusReason', 'AWS gives no reason')}",
            "Correct what the reason names (often a role, subnet or security group that is gone) and run again.",
        )


def warn_if_idle(what: str, there: Any, progress: Progress) -> None:
    if there["state"] != "ENABLED" or there["status"] != "VALID":
        why = f": {there['statusReason']}" if there.get("statusReason") else ""
        progress.warning(f"{what} is {there['state']} and {there['status']}{why}. Jobs may not start; it is not ours.")
