"""The stages between an image and a service: each call, each word, and what becomes of the release."""

import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize import image, smoke
from model_dockerize.aws import batch as aws_batch
from model_dockerize.aws import ecr, ecs, ground, preflight
from model_dockerize.aws.batch import JobDefinition
from model_dockerize.aws.client import TO_COME
from model_dockerize.aws.ecr import PushedImage
from model_dockerize.aws.ecr.registry import Repository
from model_dockerize.aws.ecs import endpoint
from model_dockerize.aws.ecs.endpoint import Address
from model_dockerize.aws.ecs.run_task import Ended
from model_dockerize.aws.ground import Model
from model_dockerize.aws.model import Change, Foundations, Identity, Runtime
from model_dockerize.errors import AwsError, InputError, PushError
from model_dockerize.image import Cache, Image, RegistryAuth
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import access, batch, deployed, everything, make, steps
from model_dockerize.pipeline.aside import LeftError
from model_dockerize.pipeline.context import START_TIMEOUT, FromArchive, FromFolder, Named, Prepared
from model_dockerize.pipeline.release import Release, Stage, names_of
from model_dockerize.pipeline.stages import FOUNDATIONS, JOBS, NAMED, ORDER, PUSHED, service
from model_dockerize.progress import Silent
from model_dockerize.report import facts
from model_dockerize.smoke import Check, Expectation, SmokeResult
from tests.rig.leaks import planted
from tests.rig.told import Calls, Told, run_told

images = importlib.import_module("model_dockerize.pipeline.stages.images")
foundations = importlib.import_module("model_dockerize.pipeline.stages.foundations")
SILENT = Silent()
ENGINE: Any = SimpleNamespace(version="28", buildx_version="0.30", environment={})
NOTHING: Any = None
FOLDER = FromFolder(SimpleNamespace(name="iris", version="2"), "b" * 32, "linux/arm64", Expectation("b"), "FROM x", "7")  # type: ignore[arg-type]
ARCHIVE = FromArchive(Named("iris", "2"), "b" * 32, "linux/amd64", Expectation("b"), SimpleNamespace(claim=""))  # type: ignore[arg-type]
RUNTIME = Runtime("arn:execution", "arn:task", "/log", fresh_roles=False)
BUILT = Image("iris:2", "sha256:built", 1, "b", None, "linux/arm64")
DIGEST = f"sha256:{'d' * 64}"
HELD = PushedImage("iris", DIGEST, ("2",), f"r.example/iris@{DIGEST}")
EXPIRES = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
LOGIN = SimpleNamespace(username="AWS", password=planted("stage-password"), registry="r.example", expires_at=EXPIRES)
AUTH = RegistryAuth("AWS", LOGIN.password, "r.example", EXPIRES)


class Account:
    """Stand in for a connection; `fresh` are the changes that its own stage made."""

    def __init__(self, *fresh: Change) -> None:
        self.identity = Identity("1", "arn:aws:iam::1:user/x", "eu-central-1")
        self.changes: list[Change] = []
        self.fresh = fresh

    def apart(self, **_: Any) -> "Account":
        own = Account(*self.fresh)
        own.changes.extend(self.fresh)
        return own

    def has_changed(self, since: int = 0) -> bool:
        return any(change.action != "leave" for change in self.changes[since:])


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(monkeypatch)


def release(flags: dict[str, str] | None = None, prepared: Prepared = FOLDER, **more: Any) -> tuple[Release, Told]:
    run, told = run_told(flags)
    account: Any = more.pop("account", Account())
    return Release(run, prepared, account, more.pop("engine", ENGINE), **more), told


# The image


@pytest.fixture
def registry(calls: Calls) -> Calls:
    calls.stand_in(ecr, "find_build")
    calls.stand_in(ecr, "check_tag")
    calls.stand_in(ecr, "ensure_repository", Repository("iris", "r.example/iris", "arn", created=True))
    calls.stand_in(ecr, "ensure_rules")
    calls.stand_in(ecr, "tag_image", ("2",))
    calls.stand_in(ecr, "verify", HELD)
    calls.stand_in(ecr, "login", LOGIN)
    calls.stand_in(ecr, "check_findings")
    calls.stand_in(make, "cache", Cache("none"))
    calls.stand_in(make, "build", BUILT)
    calls.stand_in(image, "push", lambda *given: given[3]() and DIGEST)
    return calls


BUILD_TAG = ecr.build_tag("b" * 32)


def test_an_image_is_built_pushed_tagged_and_verified(registry: Calls) -> None:
    beside: list[str] = []
    given, told = release({"scan-gate": "HIGH"}, check_beside=lambda: beside.append("looked at"))
    done = PUSHED.run(given)
    run, account, tags = given.run, given.account, ("2", BUILD_TAG)
    assert beside == ["looked at"]
    assert done == replace(given, uri=HELD.uri, changed=True)
    pushed = registry.made[6]
    assert (pushed[0], *pushed[1:4]) == ("push", ENGINE, "sha256:built", f"r.example/iris:{BUILD_TAG}")
    stage = pushed[5]
    assert pushed[4]() == AUTH
    assert registry.made[:6] + registry.made[7:-1] == [
        ("find_build", account, "iris", "b" * 32),
        ("check_tag", account, "iris", "2"),
        ("cache", (run, FOLDER, ENGINE), {"pushes": True}),
        ("build", run, FOLDER, ENGINE, Cache("none")),
        ("ensure_repository", account, "iris", stage),
        ("ensure_rules", account, "iris", run.settings.registry, stage),
        ("login", account),
        ("tag_image", account, "iris", DIGEST, tags),
        ("verify", account, "iris", DIGEST, tags),
        ("check_findings", account, "iris", DIGEST, "HIGH", registry.made[-2][5]),
    ]
    assert told.lines == [
        ("push", "info", HELD.uri),
        ("push", "info", f"iris:2 is {DIGEST[:19]}"),
    ]
    assert run.recorder.facts == (facts.Pushed(HELD.uri, DIGEST),)
    assert [each.name for each in run.recorder.stages] == ["push", "scan"]


@pytest.mark.parametrize(("prepared", "skipped"), [(FOLDER, "build"), (ARCHIVE, "load")])
@pytest.mark.parametrize("missing", [(), ("2",)])
def test_a_build_that_the_registry_holds_is_only_tagged(
    registry: Calls, prepared: Prepared, skipped: str, missing: tuple[str, ...]
) -> None:
    registry.stand_in(ecr, "find_build", HELD)
    registry.stand_in(ecr, "tag_image", missing)
    given, told = release(prepared=prepared)
    done = PUSHED.run(given)
    assert (done.uri, done.changed) == (HELD.uri, bool(missing))
    assert registry.names == ["find_build", "tag_image", "verify", "ensure_rules"]
    assert registry.made[3][:4] == ("ensure_rules", given.account, "iris", given.settings.registry)
    last = f"iris:2 is {DIGEST[:19]}" if missing else "iris:2 is this build already."
    assert told.lines == [
        *((stage, "info", "The registry holds this build already.") for stage in (skipped, "smoke-local")),
        ("push", "info", HELD.uri),
        ("push", "info", last),
    ]
    status = {each.name: each.status for each in given.run.recorder.stages}
    assert status == {skipped: "unchanged", "smoke-local": "unchanged", "push": "done" if missing else "unchanged"}
    assert PUSHED.run(replace(given, changed=True)).changed is True


def test_for_an_archive_it_is_built_though_the_registry_holds_it(registry: Calls, tmp_path: Path) -> None:
    registry.stand_in(ecr, "find_build", HELD)
    given, _ = release({"archive": str(tmp_path)})
    PUSHED.run(given)
    assert registry.names == ["find_build", "cache", "build", "tag_image", "verify", "ensure_rules"]


@pytest.mark.parametrize(("kind", "kept"), [("inline", True), ("registry", False)])
@pytest.mark.parametrize("fails", [False, True])
def test_a_cache_in_the_registry_is_reached_by_a_login_for_this_build(
    registry: Calls, kind: str, kept: bool, fails: bool
) -> None:
    builder = object()

    @contextmanager
    def signed_in(*given: Any) -> Iterator[Any]:
        registry.made.append(("signed_in", *given))
        yield builder

    def tag(*given: Any) -> tuple[str, ...]:
        if given[3] == (image.CACHE_TAG,) and fails:
            raise PushError("no such tag")
        return ()

    registry.patch.setattr(image, "signed_in", signed_in)
    registry.stand_in(make, "cache", Cache(kind))  # type: ignore[arg-type]
    registry.stand_in(ecr, "tag_image", tag)
    given, _told = release()
    PUSHED.run(given)
    assert registry.names[2:6] == ["cache", "ensure_repository", "login", "signed_in"]
    assert registry.made[5] == ("signed_in", ENGINE, AUTH)
    assert registry.made[6] == ("build", given.run, FOLDER, builder, Cache(kind), "r.example/iris")  # type: ignore[arg-type]
    tagged = [call[4] for call in registry.made if call[0] == "tag_image"]
    assert tagged == [("2", BUILD_TAG), *([(image.CACHE_TAG,)] if kept else [])]
    assert given.run.recorder.warnings == (
        ("The next build will not find this one's cache: no such tag",) if kept and fails else ()
    )
    assert [each.name for each in given.run.recorder.stages] == ["cache", "push"]


@pytest.mark.parametrize(
    ("held", "missing", "uri", "line", "finding"),
    [
        (None, (), f"r.example/iris@{TO_COME}", "+ image iris:2 (build, smoke test, push)", ""),
        (HELD, (), HELD.uri, "= image iris:2", "iris holds this build already: nothing will be built or pushed"),
        (
            HELD,
            ("2", "b"),
            HELD.uri,
            "~ image iris (tag 2, b)",
            "iris holds this build already: nothing will be built or pushed",
        ),
    ],
)
def test_a_plan_says_what_becomes_of_the_image(
    registry: Calls, held: Any, missing: tuple[str, ...], uri: str, line: str, finding: str
) -> None:
    registry.stand_in(ecr, "find_build", held)
    registry.stand_in(ecr, "tag_image", missing)
    given, _ = release()
    asked = PUSHED.ask(given, SILENT)
    assert asked == replace(given, uri=uri, image_line=line)
    assert PUSHED.finding(asked) == finding
    account, rules = given.account, ("ensure_rules", given.account, "iris", given.settings.registry, SILENT)
    assert registry.made == [
        ("find_build", account, "iris", "b" * 32),
        *(
            [rules, ("tag_image", account, "iris", DIGEST, ("2", BUILD_TAG))]
            if held
            else [("check_tag", account, "iris", "2"), ("ensure_repository", account, "iris", SILENT), rules]
        ),
    ]


def test_without_a_push_it_is_built_here_and_jobs_run_what_their_file_names(registry: Calls) -> None:
    registry.stand_in(batch, "image_of", "named")
    given, _ = release({"push-to-ecr": "false"})
    assert (PUSHED.is_wanted(given), NAMED.is_wanted(given)) == (False, True)
    assert NAMED.run(given) is given
    assert registry.made == [
        ("cache", (given.run, FOLDER, ENGINE), {"pushes": False}),
        ("build", given.run, FOLDER, ENGINE, Cache("none")),
    ]
    asked = NAMED.ask(given, SILENT)
    assert asked == replace(given, uri="named", image_line="= image named")
    assert NAMED.finding(asked) == "named"
    assert registry.made[-1] == ("image_of", given.run, given.account, "", SILENT)
    pushing, _ = release()
    assert (PUSHED.is_wanted(pushing), NAMED.is_wanted(pushing)) == (True, False)


# What containers stand on

NEW, CHANGED = Change("make", "stack", "a"), Change("change", "stack", "b")


@pytest.mark.parametrize(
    ("fresh", "text", "status"),
    [((), "All of it is there.", "unchanged"), ((NEW, CHANGED), "new: stack a; changed: stack b", "done")],
)
def test_foundations_are_made_apart_and_told(calls: Calls, fresh: Any, text: str, status: str) -> None:
    calls.stand_in(batch, "ensure_runtime", RUNTIME)
    account = Account(*fresh)
    given, told = release({"deploy-service": "false"}, account=account, changed=True)
    done = FOUNDATIONS.run(given)
    assert (done.runtime, done.changed, done.account) == (RUNTIME, bool(fresh), account)
    assert account.changes == list(fresh)
    assert told.lines == [("foundations", "info", text)]
    assert given.run.recorder.stages[0].status == status
    ((_, run, own, model, _, pace),) = calls.made
    assert (run, own is account, model, pace.sleep) == (given.run, False, "iris", given.pause)


@pytest.mark.parametrize(
    ("error", "level", "text"),
    [
        (AwsError("No VPC."), "warning", "No VPC. This ends the run, when the build beside it is over."),
        (
            LeftError(),
            "info",
            "The run ends. CloudFormation goes on by itself: the next run takes over, `destroy` removes it.",
        ),
    ],
)
def test_foundations_that_fail_keep_what_was_changed(calls: Calls, error: BaseException, level: str, text: str) -> None:
    calls.stand_in(batch, "ensure_runtime", error)
    account = Account(NEW)
    given, told = release({"deploy-service": "false"}, account=account)
    with pytest.raises(type(error)):
        FOUNDATIONS.run(given)
    assert account.changes == [NEW]
    assert told.lines == [("foundations", level, text)]


@pytest.mark.parametrize(("prepared", "path"), [(FOLDER, "/ready"), (ARCHIVE, "/health")])
@pytest.mark.parametrize("in_sandbox", [False, True])
def test_a_service_stands_on_more(calls: Calls, prepared: Prepared, path: str, in_sandbox: bool) -> None:
    run, _ = run_told()
    stands = Foundations(
        *("arn:execution", "arn:task", "/log", False, "vpc", ("subnet",), ("sg",), "cluster", True),
        replace(run.settings.service, cpu=4096),
    )
    calls.stand_in(ground, "ensure_foundations", stands)
    calls.stand_in(batch, "secrets_of", ("arn:secret",))
    calls.stand_in(access, "warn_of_the_internet")
    given, _ = release({"service": "web", "repository": "team/iris", "task-definition": "task"}, prepared)
    given.run.settings = replace(given.settings, run=replace(given.settings.run, sandbox=in_sandbox))
    asked = FOUNDATIONS.ask(given, SILENT)
    assert (asked.runtime, asked.changed) == (stands, False)
    assert given.run.settings.service.cpu == 4096
    secrets, made, *warned = calls.made
    assert secrets == ("secrets_of", given.run, given.account, "iris")
    service = replace(run_told()[0].settings.service, **_said(service="web", task_definition="task"))
    model = Model("web", "team/iris", path, ("arn:secret",))
    assert made == ("ensure_foundations", given.account, made[2], model, SILENT, None)
    assert (made[2].service, made[2].task_definition) == (service.service, service.task_definition)
    assert warned == ([] if in_sandbox else [("warn_of_the_internet", stands.settings, SILENT)])


def _said(**inputs: str) -> Any:
    return inputs


@pytest.mark.parametrize(
    ("flags", "jobs", "wanted"),
    [({}, False, True), ({"deploy-service": "false"}, False, False), ({"deploy-service": "false"}, True, True)],
)
def test_foundations_are_for_services_and_jobs(flags: dict[str, str], jobs: bool, wanted: bool) -> None:
    given, _ = release(flags)
    given.run.settings = replace(given.settings, batch=replace(given.settings.batch, create_job_def=jobs))
    assert FOUNDATIONS.is_wanted(given) is wanted


@pytest.mark.parametrize("bad", [(), ("arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:role/b")])
def test_roles_that_no_task_can_be_given_are_found_beforehand(calls: Calls, bad: tuple[str, ...]) -> None:
    calls.stand_in(preflight, "distrusting", bad)
    role = "arn:aws:iam::123456789012:role/mine"
    given, _ = release({"task-role": role})
    if not bad:
        assert FOUNDATIONS.finding(given) == ""
    else:
        with pytest.raises(InputError) as refused:
            FOUNDATIONS.finding(given)
        assert str(refused.value) == f"{', '.join(bad)} cannot be handed to a task."
        assert refused.value.remedy == (
            "Let its trust policy name the service ecs-tasks.amazonaws.com, or name another role."
        )
    assert calls.made == [("distrusting", given.account, (role,))]


# Order and jobs


@pytest.mark.parametrize(("flags", "asks"), [({}, True), ({"deploy-service": "false"}, False)])
def test_a_service_that_is_not_this_runs_is_refused(calls: Calls, flags: dict[str, str], asks: bool) -> None:
    calls.stand_in(ecs, "check_service")
    given, _ = release({"service": "web", "task-definition": "task", "create-job-def": "false", **flags})
    assert ORDER.run(given) is given
    assert ORDER.ask(given, SILENT) is given
    asked = ("check_service", given.account, given.settings.service, "web", "task")
    assert calls.made == [asked] * (2 if asks else 0)


@pytest.mark.parametrize(
    ("number", "text"), [("", "runs are not ordered here"), ("7", "no newer run than 7 has deployed")]
)
def test_doctor_says_whether_runs_are_ordered(number: str, text: str) -> None:
    given, _ = release()
    service = replace(given.settings.service, run_number=int(number or 0))
    given.run.settings = replace(given.settings, service=service)
    assert ORDER.finding(given) == text


@pytest.mark.parametrize(
    ("given_inputs", "kind", "file", "looks", "checks"),
    [
        ({"cpu"}, "FARGATE", None, True, True),
        ({"memory"}, "FARGATE_SPOT", None, True, True),
        ({"cpu"}, "EC2", None, True, False),
        ({"cpu", "memory"}, "FARGATE", None, False, False),
        (set(), "FARGATE", None, False, False),
        ({"cpu"}, "FARGATE", SimpleNamespace(job_definition=None), False, False),
    ],
)
def test_half_a_size_of_jobs_must_fit_what_they_have(
    calls: Calls, given_inputs: set[str], kind: str, file: Any, looks: bool, checks: bool
) -> None:
    given, _ = release({"deploy-service": "false"})
    settings = given.settings
    jobs = replace(settings.batch, create_job_def=True, file=file)
    service = replace(settings.service, given=frozenset(given_inputs))
    given.run.settings = replace(settings, batch=jobs, service=service)
    calls.stand_in(aws_batch, "check_job_definition")
    calls.stand_in(aws_batch, "place_of_jobs", "placed")
    calls.stand_in(aws_batch, "as_defined", (SimpleNamespace(compute_type=kind), SimpleNamespace(cpu=1, memory=2)))
    order = importlib.import_module("model_dockerize.pipeline.stages.order")
    calls.stand_in(order, "check_size")
    assert ORDER.run(given) is given
    account = given.account
    assert calls.made == [
        ("check_job_definition", account, "iris", False),
        *([("place_of_jobs", account, jobs), ("as_defined", account, "iris", "placed", service)] if looks else []),
        *([("check_size", 1, 2)] if checks else []),
    ]


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("before", [False, True])
def test_jobs_run_the_image_of_this_run(calls: Calls, changed: bool, before: bool) -> None:
    made = JobDefinition("arn:3", "iris", 3, existed=True, changed=changed)
    calls.stand_in(batch, "image_of", "the image")
    calls.stand_in(batch, "ensure_jobs", (made, changed))
    given, told = release(uri="pushed", runtime=RUNTIME, changed=before)
    done = JOBS.run(given)
    assert done == replace(given, changed=before or changed)
    of_image, ensured = calls.made
    assert of_image[:4] == ("image_of", given.run, given.account, "pushed")
    assert ensured[:7] == ("ensure_jobs", given.run, given.account, "iris", "the image", "linux/arm64", RUNTIME)
    assert told.lines == ([] if changed else [("batch", "info", "Revision 3 is this build already.")])
    assert given.run.recorder.stages[0].status == ("done" if changed else "unchanged")
    assert given.run.recorder.facts == (facts.Jobs("arn:3", 3),)
    calls.made.clear()
    assert JOBS.ask(given, SILENT) is given
    assert calls.made == [
        ("ensure_jobs", given.run, given.account, "iris", "pushed", "linux/arm64", RUNTIME, SILENT),
    ]


@pytest.mark.parametrize(
    ("jobs", "prepared", "command", "runtime", "wanted"),
    [
        (True, FOLDER, None, RUNTIME, True),
        (False, FOLDER, None, RUNTIME, False),
        (True, FOLDER, None, None, False),
        (True, ARCHIVE, None, RUNTIME, False),
        (True, ARCHIVE, (), RUNTIME, False),
        (True, ARCHIVE, ("run",), RUNTIME, True),
    ],
)
def test_jobs_need_a_command(jobs: bool, prepared: Prepared, command: Any, runtime: Any, wanted: bool) -> None:
    given, _ = release({}, prepared, runtime=runtime)
    file: Any = None if command is None else SimpleNamespace(job_definition=SimpleNamespace(command=command))
    given.run.settings = replace(given.settings, batch=replace(given.settings.batch, create_job_def=jobs, file=file))
    assert JOBS.is_wanted(given) is wanted


# Whole courses


def test_a_plan_asks_each_wanted_stage_and_changes_nothing(calls: Calls) -> None:
    def asks(name: str, wanted: bool = True) -> Stage:
        def ask(given: Release, progress: Any) -> Release:
            progress.warning(f"{name} warns")
            progress.info("not told")
            return replace(given, uri=f"{given.uri}{name}", image_line="= image x")

        return Stage(name, lambda _: wanted, lambda _: pytest.fail("it would run"), ask)

    rehearsal = SimpleNamespace(aws=Account(), changes=[NEW])
    calls.stand_in(everything, "rehearse", rehearsal)
    calls.patch.setattr(everything, "STAGES", (asks("a"), asks("b", wanted=False), asks("c")))
    given, told = release()
    assert everything.plan_release(given) is Outcome.PLANNED
    assert calls.made == [("rehearse", given.account)]
    assert told.lines == [
        ("plan", "warning", "a warns"),
        ("plan", "warning", "c warns"),
        ("plan", "info", "1 thing would be made or changed."),
    ]
    assert given.run.recorder.facts == (facts.Planned(("= image x", "+ stack a")),)


@pytest.mark.parametrize("changed", [False, True])
def test_a_task_definition_needs_no_service(calls: Calls, changed: bool) -> None:
    given, told = release(uri="pushed")
    made = SimpleNamespace(short="iris:7", arn="arn:7", changed=changed)
    calls.stand_in(make, "prepare", FOLDER)
    calls.stand_in(everything, "check", (ENGINE, given))
    calls.stand_in(everything, "carry_out", given)
    calls.stand_in(service, "define", made)
    outcome = everything.task_definition(given.run)
    assert outcome is (Outcome.REGISTERED if changed else Outcome.UNCHANGED)
    assert calls.made[:3] == [
        ("prepare", given.run),
        ("check", given.run, FOLDER),
        ("carry_out", given, (ORDER, FOUNDATIONS, PUSHED)),
    ]
    assert calls.made[3][:2] == ("define", given)
    said = [("task-definition", "info", "iris:7 runs pushed")]
    assert told.lines == (said if changed else [*said, ("task-definition", "info", "It means the same already.")])
    assert given.run.recorder.facts == (facts.Task("arn:7"),)


def test_without_a_push_there_is_no_task_definition(calls: Calls) -> None:
    given, _ = release()
    calls.stand_in(make, "prepare", FOLDER)
    calls.stand_in(everything, "check", (ENGINE, None))
    with pytest.raises(InputError) as refused:
        everything.task_definition(given.run)
    assert str(refused.value) == "Without push-to-ecr there is no image for a task definition."
    assert refused.value.remedy == "Leave push-to-ecr out."


@pytest.mark.parametrize(("archive", "ends"), [("", Outcome.BUILT), ("iris.tar", Outcome.LOADED)])
def test_a_run_that_releases_nothing_ends_with_the_image(calls: Calls, archive: str, ends: Outcome) -> None:
    given, _ = release({"from-archive": archive} if archive else {})
    calls.stand_in(make, "prepare", FOLDER)
    calls.stand_in(everything, "check", (ENGINE, None))
    calls.stand_in(make, "cache", Cache("none"))
    calls.stand_in(make, "build", BUILT)
    assert everything.run(given.run) is ends
    assert calls.made[2:] == [
        ("cache", (given.run, FOLDER, ENGINE), {"pushes": False}),
        ("build", given.run, FOLDER, ENGINE, Cache("none")),
    ]


def test_a_run_that_fails_keeps_what_it_changed(calls: Calls) -> None:
    given, _ = release()
    given.account.changes.extend([NEW, CHANGED])
    calls.stand_in(make, "prepare", FOLDER)
    calls.stand_in(everything, "check", (ENGINE, given))
    calls.stand_in(everything, "carry_out", AwsError("no"))
    with pytest.raises(AwsError):
        everything.run(given.run)
    assert given.run.recorder.facts == (facts.Changed(("+ stack a", "~ stack b")),)


@pytest.mark.parametrize(
    ("deploys", "waits", "pushes", "changed", "ends"),
    [
        (True, False, True, True, Outcome.STARTED),
        (True, False, True, False, Outcome.STARTED),
        (True, True, True, False, Outcome.UNCHANGED),
        (True, True, True, True, Outcome.DEPLOYED),
        (False, True, True, True, Outcome.PUSHED),
        (False, False, True, True, Outcome.PUSHED),
        (False, True, False, True, Outcome.REGISTERED),
    ],
)
def test_how_a_run_ended(deploys: bool, waits: bool, pushes: bool, changed: bool, ends: Outcome) -> None:
    settings = run_told()[0].settings
    settings = replace(
        settings,
        service=replace(settings.service, deploy_service=deploys, wait=waits),
        registry=replace(settings.registry, push_to_ecr=pushes),
    )
    assert everything.outcome(settings, changed) is ends


@pytest.mark.parametrize(("name", "fits"), [("a", False), ("ab", True), ("a" * 256, True), ("a" * 257, False)])
def test_a_repositorys_name_fits_ecr(name: str, fits: bool) -> None:
    settings = run_told()[0].settings
    if fits:
        assert names_of(settings, name).repository == name
        return
    with pytest.raises(InputError) as refused:
        names_of(settings, name)
    assert str(refused.value) == f"ECR takes no repository called {name}: its name has 2 to 256 characters."
    assert refused.value.remedy == "Name another one with repository, or the model with image-name."


# Single steps


def test_docker_is_signed_in_until_the_token_ends(calls: Calls) -> None:
    calls.stand_in(image, "probe", ENGINE)
    calls.stand_in(ecr, "login", LOGIN)
    calls.stand_in(image, "log_in")
    given, told = release()
    assert steps.login(given.run, given.account) is Outcome.SIGNED_IN
    auth = RegistryAuth("AWS", LOGIN.password, "r.example")
    assert calls.made == [("probe", {}), ("login", given.account), ("log_in", ENGINE, auth)]
    words = "docker is signed in to r.example until 2026-01-02 03:04 UTC"
    assert told.lines == [("login", "info", words)]
    assert given.run.recorder.facts == (facts.Headline(words),)


@pytest.mark.parametrize("groups", [(), ("sg-1", "sg-2")])
@pytest.mark.parametrize("changed", [False, True])
def test_a_network_and_what_models_share(calls: Calls, groups: tuple[str, ...], changed: bool) -> None:
    network = SimpleNamespace(vpc_id="vpc-1", subnet_ids=("s-1", "s-2"), security_group_ids=groups)
    calls.stand_in(ground, "ensure_network", network)
    calls.stand_in(ground, "bootstrap", "arn:role")
    account = Account()
    account.changes.extend([NEW] * changed)
    given, told = release(account=account)
    ends = Outcome.MADE if changed else Outcome.UNCHANGED
    assert steps.network(given.run, given.account) is ends
    there = f"vpc vpc-1, subnets s-1, s-2{', security groups sg-1, sg-2' if groups else ''}"
    already = ["All of it is there."] * (not changed)
    assert [text for _, _, text in told.lines] == [*already, there]
    assert given.run.recorder.stages[0].status == ("done" if changed else "unchanged")
    told.lines.clear()
    assert steps.bootstrap(given.run, given.account) is ends
    words = (
        "Stacks of models are made by arn:role from now on. The policy for whoever deploys: model-dockerize iam-policy "
        "--after-bootstrap"
    )
    assert told.lines == [("bootstrap", "info", text) for text in (*already, words)]
    assert [call[:3] for call in calls.made] == [
        ("ensure_network", given.account, given.settings.service),
        ("bootstrap", given.account, given.settings.service),
    ]
    assert given.run.recorder.facts == (
        facts.Headline(there),
        facts.Headline("what all models of eu-central-1 share"),
    )


# A deployed model

WHERE = Address("http://203.0.113.1", "http://203.0.113.1", 5.0, "http://10.0.0.1", ("sg-1",))
SERVICE: Any = SimpleNamespace(name="iris")


@pytest.mark.parametrize(
    ("flags", "found", "fact"),
    [
        (
            {"smoke-url": "http://m"},
            Address("http://m", "http://m", START_TIMEOUT),
            facts.Address("http://m", "who", ""),
        ),
        ({}, WHERE, facts.Address(WHERE.url, "who", "for now")),
    ],
)
@pytest.mark.parametrize("in_sandbox", [False, True])
def test_where_a_service_answers_is_told(
    calls: Calls, flags: dict[str, str], found: Address, fact: facts.Address, in_sandbox: bool
) -> None:
    calls.stand_in(endpoint, "address_of", WHERE)
    calls.stand_in(deployed, "who_can_reach", "who")
    calls.stand_in(deployed, "how_long", "for now")
    given, _ = release(flags)
    run = given.run
    run.settings = replace(run.settings, run=replace(run.settings.run, sandbox=in_sandbox))
    with run.recorder.stage("service") as stage:
        assert deployed.address(run, given.account, SERVICE, stage) == found
        assert deployed.test_address(given.account, SERVICE, stage) == WHERE
    words = "this computer; on AWS: who" if in_sandbox else "who"
    assert run.recorder.facts == (replace(fact, access=words),)
    asked = [call for call in calls.made if call[0] == "address_of"]
    assert asked == [
        *([] if flags else [("address_of", given.account, SERVICE, stage)]),
        ("address_of", (given.account, SERVICE, stage), {"of_test": True}),
    ]


@pytest.mark.parametrize("waiting", ["", "b"])
@pytest.mark.parametrize("outside", ["http://outside", ""])
def test_the_users_own_check_is_run_where_it_reaches(calls: Calls, waiting: str, outside: str) -> None:
    calls.stand_in(smoke, "await_build")
    calls.stand_in(deployed, "check_by", ("why",))
    given, told = release({"check": "pytest", "smoke-timeout": "30"})
    key = planted("check-key")
    run = given.run
    run.settings = replace(run.settings, smoke=replace(run.settings.smoke, smoke_api_key=key))
    where, url = replace(WHERE, outside=outside), outside or WHERE.url
    with run.recorder.stage("smoke") as stage:
        assert deployed.own_check(run, where, waiting, stage) == ("why",)
    awaited = [("await_build", url, "b", START_TIMEOUT, key)] * bool(waiting)
    assert calls.made == [*awaited, ("check_by", "pytest", url, 30.0, {}, stage)]
    assert told.lines == [("smoke", "info", "check: pytest")]
    without, _ = release()
    with without.run.recorder.stage("smoke") as stage:
        assert deployed.own_check(without.run, where, waiting, stage) == ()


GOOD = SmokeResult("http://m", (Check("health", True, 0.5, "ok"),))


@pytest.mark.parametrize("outside", [WHERE.url, "http://outside", ""])
@pytest.mark.parametrize("build", ["b", ""])
def test_a_waiting_version_is_asked_when_it_answers(calls: Calls, outside: str, build: str) -> None:
    calls.stand_in(deployed, "is_asked_from_here", True)
    calls.stand_in(smoke, "await_build")
    calls.stand_in(make, "prove", GOOD)
    prepared = replace(FOLDER, expectation=Expectation(build))
    given, _ = release({}, prepared)
    key, url = planted("waiting-key"), outside or WHERE.url
    run, where = given.run, replace(WHERE, outside=outside)
    run.settings = replace(run.settings, smoke=replace(run.settings.smoke, smoke_api_key=key))
    with run.recorder.stage("smoke") as stage:
        assert deployed.smoke_waiting(run, prepared, given.account, SERVICE, where, stage) == ()
        assert deployed.smoke_deployed(run, prepared, given.account, SERVICE, where, stage) == ()
        assert deployed.smoke_again(run, prepared, where, stage) == ()
    proved = ("prove", run, replace(prepared, expectation=Expectation(build, api_key=key)), (url,), stage)
    asked = ("is_asked_from_here", run, prepared, where)
    awaited = [("await_build", url, "b", START_TIMEOUT, key)] * bool(build)
    assert calls.made == [asked, *awaited, proved, asked, proved, asked, proved]
    assert [fact.what for fact in run.recorder.facts if isinstance(fact, facts.SmokeTested)] == ["service"] * 3


SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:k-AbCdEf"


@pytest.mark.parametrize(
    ("flags", "outside", "why", "again"),
    [
        ({}, WHERE.outside, "is not reached from here", "is not reached from here"),
        ({}, "", "has a certificate for another name", "is not reached from here"),
        ({"api-key": SECRET}, WHERE.outside, *["wants an API key, and smoke-api-key is empty"] * 2),
        (
            {"allowed-hosts": "a.example"},
            WHERE.outside,
            *["does not answer as 203.0.113.1 (allowed-hosts)"] * 2,
        ),
    ],
)
def test_what_is_not_reached_is_tested_inside_of_its_network(
    calls: Calls, flags: dict[str, str], outside: str, why: str, again: str
) -> None:
    calls.stand_in(deployed, "is_asked_from_here", False)
    calls.stand_in(deployed, "_inside", GOOD)
    given, told = release(flags)
    run, where = given.run, replace(WHERE, outside=outside)
    with run.recorder.stage("smoke") as stage:
        for test in (deployed.smoke_waiting, deployed.smoke_deployed):
            assert test(run, FOLDER, given.account, SERVICE, where, stage) == ()
        deployed.smoke_again(run, FOLDER, where, stage)
    text = f"{where.url} {why}: a task inside of the network tests http://10.0.0.1"
    assert told.lines == [
        ("smoke", "info", text),
        ("smoke", "info", text),
        ("smoke", "info", f"It {again}; it proved itself when it was deployed."),
    ]
    assert run.recorder.stages[0].status == "skipped"
    inside = [call for call in calls.made if call[0] == "_inside"]
    assert inside == [("_inside", run, FOLDER, given.account, SERVICE, where, stage)] * 2
    assert [fact.what for fact in run.recorder.facts if isinstance(fact, facts.SmokeTested)] == ["service"] * 2


@pytest.mark.parametrize(
    ("flags", "key", "prepared", "where", "reached", "asked"),
    [
        ({}, "", FOLDER, WHERE, True, True),
        ({}, "", FOLDER, WHERE, False, False),
        ({}, "", ARCHIVE, WHERE, False, True),
        ({}, "", FOLDER, replace(WHERE, inside=""), False, True),
        ({}, "", FOLDER, replace(WHERE, outside=""), True, False),
        ({"api-key": SECRET}, "", FOLDER, WHERE, True, False),
        ({"api-key": SECRET}, "key", FOLDER, WHERE, True, True),
        ({"allowed-hosts": "A.example"}, "", FOLDER, WHERE, True, False),
        ({"allowed-hosts": "A.example"}, "", FOLDER, replace(WHERE, outside="http://a.example"), True, True),
        ({"allowed-hosts": "203.0.113.1"}, "", FOLDER, replace(WHERE, url="http://x"), True, True),
        ({"allowed-hosts": "203.0.113.1"}, "", FOLDER, replace(WHERE, outside=""), True, False),
    ],
)
def test_a_model_is_tested_from_here_where_that_can_be(
    calls: Calls, flags: dict[str, str], key: str, prepared: Prepared, where: Address, reached: bool, asked: bool
) -> None:
    calls.stand_in(deployed, "_is_reached", reached)
    given, _ = release(flags)
    run = given.run
    run.settings = replace(run.settings, smoke=replace(run.settings.smoke, smoke_api_key=key))
    assert deployed.is_asked_from_here(run, prepared, where) is asked
    assert calls.made in ([], [("_is_reached", where.outside, 5.0)])


def line(**fact: Any) -> str:
    return "probe " + json.dumps(fact)


PASSED = line(check="health", passed=True, seconds=0.5, detail="ok")
END = line(end=True)


@pytest.mark.parametrize(
    ("ended", "checks", "said"),
    [
        (Ended(0, "", (PASSED, END)), [("health", True, "ok")], ["health: ok (0.50 s): ok"]),
        (
            Ended(0, "", (line(check="health", passed=False, seconds=0.5, detail="500"), END)),
            [("health", False, "500")],
            ["health: FAILED (0.50 s): 500"],
        ),
        (
            Ended(3, "it was ended", (PASSED, END)),
            [("health", True, "ok"), ("inside", False, "exit code 3: it was ended")],
            ["health: ok (0.50 s): ok"],
        ),
        (Ended(None, "no image", (PASSED, END)), [("inside", False, "the task did not run: no image")], None),
        (Ended(0, "nothing said", (END,)), [("inside", False, "the task did not run: nothing said")], None),
        (AwsError("no task", "", ("of x",)), [("inside", False, "no task of x")], []),
    ],
)
def test_a_task_in_the_network_tells_what_it_saw(calls: Calls, ended: Any, checks: Any, said: Any) -> None:
    calls.stand_in(smoke, "question", ("asked", ""))
    calls.stand_in(make, "warn_of_no_sample")
    calls.stand_in(deployed, "run_once", ended)
    given, told = release({"smoke-timeout": "30"})
    with given.run.recorder.stage("smoke") as stage:
        result = deployed._inside(given.run, FOLDER, given.account, SERVICE, WHERE, stage)
    assert [(check.name, check.passed, check.detail) for check in result.checks] == checks
    assert [check.seconds for check in result.checks] == [0.5 if name == "health" else 0.0 for name, *_ in checks]
    if said is not None:
        assert [text for _, _, text in told.lines] == said
    assert calls.made[:2] == [
        ("question", FOLDER.expectation, START_TIMEOUT, 30.0, deployed.MOST_OVERRIDES - 500),
        ("warn_of_no_sample", given.run, FOLDER.expectation, stage),
    ]
    assert calls.made[2] == (
        *("run_once", given.account, SERVICE, ("probe", "http://10.0.0.1"), {"MODEL_PROBE": "asked"}),
        *(("sg-1",), 180.0 + START_TIMEOUT + 30, smoke.is_last, stage),
    )


@pytest.mark.parametrize("sample", [None, Path("in.csv")])
def test_a_sample_that_no_task_can_be_handed_is_told(calls: Calls, sample: Path | None) -> None:
    prepared = replace(FOLDER, expectation=Expectation("b", sample))
    calls.stand_in(smoke, "question", ("asked", "it is too large"))
    calls.stand_in(make, "warn_of_no_sample")
    calls.stand_in(deployed, "run_once", Ended(0, "", (PASSED, END)))
    given, _ = release()
    with given.run.recorder.stage("smoke") as stage:
        deployed._inside(given.run, prepared, given.account, SERVICE, WHERE, stage)
        assert given.run.recorder.warnings == (
            ("No job is tried inside of the network: it is too large.",) if sample else ()
        )
        calls.stand_in(smoke, "question", OSError("no such file"))
        with pytest.raises(InputError) as refused:
            deployed._inside(given.run, prepared, given.account, SERVICE, WHERE, stage)
    assert str(refused.value) == "The smoke sample cannot be read: no such file"
    assert refused.value.remedy == "Correct its path."
