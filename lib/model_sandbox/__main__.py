"""Start the sandbox's process: `python -m model_sandbox --home DIR --instance ID`."""

import argparse
import asyncio
import logging
import os
import secrets
import signal
import socket
from functools import partial
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config

from model_sandbox import record, rights, upstream
from model_sandbox.access import Access
from model_sandbox.admission import Admission
from model_sandbox.batch import Batch
from model_sandbox.bridge import Bridge
from model_sandbox.cloudformation import CloudFormation
from model_sandbox.ec2_gaps import Ec2Gaps
from model_sandbox.ecr import Ecr, repository_rules
from model_sandbox.ecs import Ecs
from model_sandbox.engine import Engine
from model_sandbox.files import FileSystems
from model_sandbox.front import Calls, Front
from model_sandbox.functions import Functions
from model_sandbox.journal import Journal
from model_sandbox.load_balancer import LoadBalancers
from model_sandbox.network import Network
from model_sandbox.pace import Pace
from model_sandbox.policy_documents import PolicyDocuments
from model_sandbox.registry import Registry
from model_sandbox.runtime_monitoring import RuntimeMonitoring
from model_sandbox.scaling import Scaling
from model_sandbox.sessions import Sessions
from model_sandbox.tokens import Grant, Scope, Tokens

ACCOUNT = "123456789012"
REGION = "us-east-1"
_PULL_TOKEN_SECONDS = 600.0
_LARGEST_CALL = 70167211  # that Lambda takes, code and all
_LARGEST_CALL_OF_CONTAINERS = 1024 * 1024  # of Batch: whatever is sent to S3 is signed in its head
_GRACE_SECONDS = 3.0  # for answers that are under way when the sandbox is stopped


def main() -> None:
    """Serve until SIGTERM or SIGINT; then remove every container."""
    parser = argparse.ArgumentParser(prog="python -m model_sandbox", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the sandbox's directory")
    parser.add_argument("--instance", required=True, help="value of the label on all containers")
    parser.add_argument("--iam", choices=("off", "enforced"), default="off", help="whether policies count")
    arguments = parser.parse_args()
    rights.give_up()
    os.umask(0o077)  # what is made here is nobody else's; volumes, which containers share, say otherwise
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    host = f"127.0.0.1:{listener.getsockname()[1]}"
    sandbox = record.Record(
        endpoint_url=f"http://{host}",
        region=REGION,
        account_id=ACCOUNT,
        pid=os.getpid(),
        registry=host,
        instance=arguments.instance,
        born=record.born(),
        secret_key=secrets.token_hex(20),
        iam=arguments.iam,
    )
    asyncio.run(_serve(sandbox, arguments.home, listener))


async def _serve(sandbox: record.Record, home: Path, listener: socket.socket) -> None:
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    port = listener.getsockname()[1]
    front, bridge, engine, inner = _build(sandbox, home / "state", port)
    doors: list[tuple[Any, socket.socket]] = [(front, listener)]
    if inner:
        doors.append((bridge, inner))
    listener.listen(128)
    # The socket listens already: who reads the record and connects is answered as soon as the loop runs.
    record.save(home, sandbox)
    serving = {asyncio.create_task(serve(app, _config(door), shutdown_trigger=stop.wait)) for app, door in doors}
    ended: set[asyncio.Task[Any]] = {asyncio.create_task(stop.wait())}
    await asyncio.wait({*serving, *ended}, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.wait(serving, timeout=_GRACE_SECONDS)
    engine.close()
    # Clients keep connections open, and threads follow containers that are gone now: none of them may hold us up.
    logging.shutdown()
    os._exit(0 if stop.is_set() else 1)


def _config(listener: socket.socket) -> Config:
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.loglevel = "WARNING"
    config.graceful_timeout = 1
    return config


def _for_containers(engine: Engine, port: int) -> socket.socket | None:
    """Listen on the engine's bridge, which only this computer and its containers reach."""
    listener = socket.socket()
    try:
        listener.bind((engine.gateway() or "invalid", port))
    except OSError:  # the engine runs in a machine of its own, or the port is taken there
        listener.close()
        return None
    listener.listen(128)
    return listener


def _build(sandbox: record.Record, state: Path, port: int) -> tuple[Front, Bridge, Engine, socket.socket | None]:
    aws = upstream.load(port, sandbox.account_id, sandbox.region, state / "aws", sandbox.secret_key, sandbox.iam)
    calls, credentials = Journal(), Tokens()
    access = Access(aws) if sandbox.iam == "enforced" else None

    def refuse(grant: Grant, action: str, name: str) -> str | None:
        # Without a caller it is the sandbox itself that pulls, for a task.
        if access is None or not grant.caller:
            return None
        resource = f"arn:aws:ecr:{grant.scope.region}:{grant.scope.account}:repository/{name}"
        return access.refusal(grant.caller, grant.scope, action, resource)

    def pull_password(scope: Scope) -> str:
        return credentials.issue(scope, _PULL_TOKEN_SECONDS)[0]

    engine = Engine(sandbox.instance, sandbox.registry, pull_password)
    engine.remove_all()  # left by a process of this home that was killed
    inner = _for_containers(engine, port)
    outside = f"{engine.gateway()}:{port}"
    sessions = Sessions(aws, f"http://{outside}" if inner else "")
    rules = partial(repository_rules, aws)
    registry = Registry(state / "registry", credentials, rules, calls, refuse)
    network = Network(aws, port)
    network.install()
    Ecr(aws, registry, credentials, sandbox.registry, access.caller if access else str).install()
    Ec2Gaps(aws).install()
    files = FileSystems(aws, network, state / "efs")
    files.install()
    balancers = LoadBalancers(aws, network)
    balancers.install()
    judged = access.judged if access else lambda *_: None
    monitoring = RuntimeMonitoring(aws, judged)
    pace = Pace()
    ecs = Ecs(aws, engine, network, balancers, files, monitoring, sessions, access, pace)
    ecs.install()
    scaling = Scaling(aws.account_of, judged, ecs.services.at_least)
    batch = Batch(aws, engine, network, sessions)
    batch.install()
    Functions(aws, engine, sessions, access.here if access else lambda *_: None).install()
    PolicyDocuments(aws).install()
    CloudFormation(aws, sessions, access, sandbox.endpoint_url, sandbox.secret_key).install()
    if access:
        access.batch_tags = batch.tags_of
        access.install()

    def has_bucket(key: str, name: str) -> bool:
        aws.account_of(key)
        return name in aws.s3._buckets

    answers = Calls(aws.app.app, {"application-autoscaling": scaling, "guardduty": monitoring}, calls, access)
    admission, hosts = Admission(aws, sandbox.secret_key, _LARGEST_CALL), (f"127.0.0.1:{port}", f"localhost:{port}")
    front = Front(answers, registry, admission, sessions, credentials, pace, hosts, sandbox.secret_key)
    admission = Admission(aws, sandbox.secret_key, _LARGEST_CALL_OF_CONTAINERS)
    return front, Bridge(admission, sessions, (outside,), has_bucket, answers), engine, inner


if __name__ == "__main__":
    main()
