"""Runs a peer's own code with the simulator's clock: `peers_clocked.py URL fabfuel ARG...` or `... waiter`.

Only what tells the time is replaced, before the peer is imported: `time.sleep` lets virtual seconds pass.
"""

import datetime
import sys
import time
import urllib.request

URL = sys.argv[1]
BEGIN = datetime.datetime(2026, 1, 1)


def sleep(seconds: float) -> float:
    request = urllib.request.Request(f"{URL}/clock?sleep={seconds}", b"", method="POST")  # noqa: S310 - our own server
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return float(answer.read().decode().split(":")[1].strip(" }"))


class Clocked(datetime.datetime):
    """A datetime whose now is the simulator's."""

    @classmethod
    def now(cls, tz=None):  # type: ignore[no-untyped-def] # noqa: ARG003
        return BEGIN + datetime.timedelta(seconds=sleep(0))


time.sleep = sleep  # type: ignore[assignment]
if sys.argv[2] == "fabfuel":
    import ecs_deploy.cli

    ecs_deploy.cli.datetime = Clocked
    ecs_deploy.cli.ecs(sys.argv[3:])
else:
    import boto3

    ecs = boto3.client("ecs")
    ecs.update_service(cluster="c", service="iris", taskDefinition="iris:1", forceNewDeployment=True)
    ecs.get_waiter("services_stable").wait(cluster="c", services=["iris"])
