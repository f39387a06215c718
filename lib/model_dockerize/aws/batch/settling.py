"""Waiting for environments and queues of Batch, which has no waiters of its own."""

from collections.abc import Callable
from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.errors import BatchError
from model_dockerize.progress import Progress

Sleep = Callable[[float], None]
_SECONDS = 300.0
#: For how long Batch may still show the INVALID that a change has just mended.
_STALE = 10.0


def once_gone(aws: Aws, what: str, look: Callable[[], Any], progress: Progress, sleep: Sleep) -> Any:
    """Return what `look` finds, None in the end for what is being deleted: until then its name is taken.

    Raises:
        BatchError: it stays.
    """
    waited, now = 0.0, look()
    while now is not None and now["status"] == "DELETING" and not aws.only_asks:
        if not waited:
            progress.info(f"{what}: waiting until the old one of that name is gone")
        if waited >= _SECONDS:
            raise BatchError(
                f"{what} is still being deleted after {waited:.0f} s.", "Run again, or choose another name."
            )
        sleep(2.0)
        waited, now = waited + 2.0, look()
    return None if now is None or now["status"] in ("DELETING", "DELETED") else now


def until_valid(aws: Aws, what: str, look: Callable[[], Any], former: str, sleep: Sleep) -> None:
    """Wait until it is VALID; a look a second at first, seldom later. `former`: its status before our change.

    Raises:
        BatchError: it is INVALID, or not VALID in time.
    """
    if aws.only_asks:
        return
    waited, pause, is_new = 0.0, 1.0, former != "INVALID"
    while (now := look()) is not None and now["status"] != "VALID":
        is_new |= now["status"] != "INVALID" or waited >= _STALE
        if now["status"] == "INVALID" and is_new:
            raise BatchError(
                f"{what} is INVALID: {now.get('statusReason', 'AWS gives no reason')}",
                "Correct what the reason names (often a role, subnet or security group that is gone) and run again.",
            )
        if waited >= _SECONDS:
            raise BatchError(
                f"{what} is still {now['status']} after {waited:.0f} s: {now.get('statusReason', '')}",
                "Run again: it is found and waited for.",
            )
        sleep(pause)
        waited, pause = waited + pause, min(pause * 1.3, 5.0)


def warn_if_idle(what: str, there: Any, progress: Progress) -> None:
    """Say that somebody else's environment or queue runs no jobs: it is theirs to change."""
    if there["state"] != "ENABLED" or there["status"] != "VALID":
        why = f": {there['statusReason']}" if there.get("statusReason") else ""
        progress.warning(f"{what} is {there['state']} and {there['status']}{why}. Jobs may not start; it is not ours.")
