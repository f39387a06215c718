"""Commands and calls of programs sign in, find their model, and hand on what they were given."""

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize import image, pipeline
from model_dockerize.errors import InputError, ProgramError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import Run, batch_file, download, everything, make, named, operate
from model_dockerize.pipeline.context import FromFolder, Named, Prepared
from model_dockerize.report import facts
from model_dockerize.smoke import Expectation
from tests.rig.told import Calls, Told, run_told

sign_in, removal, doctoring, jobs, steps, local, proposal, testing, listing, asking, policies = (
    importlib.import_module(f"model_dockerize.pipeline.{name}")
    for name in (
        *("account", "destroy", "doctor", "submit", "steps", "serve", "mapping", "smoke", "listing", "ask"),
        "policy",
    )
)
ACCOUNT: Any = SimpleNamespace()
PREPARED = Prepared(Named("iris", "2"), "b", "linux/amd64", Expectation("b"))
WORK: Any = object()
DONE = Outcome.READ


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    made = Calls(monkeypatch)
    made.stand_in(sign_in, "start_sandbox")
    made.stand_in(sign_in, "connect", ACCOUNT)
    made.stand_in(named, "look_up", PREPARED)
    made.stand_in(make, "inspect", PREPARED)
    made.stand_in(make, "prepare", PREPARED)
    made.stand_in(removal, "on_this_computer", "local")
    for module, name in (
        *(
            (removal, "destroy"),
            (doctoring, "examine"),
            (everything, "plan_release"),
            (jobs, "submit"),
            (local, "start"),
        ),
        *(
            (steps, "login"),
            (steps, "bootstrap"),
            (steps, "network"),
            (local, "stop"),
            (proposal, "write"),
            (testing, "test"),
            (testing, "keep"),
        ),
        *((listing, "list_models"), (asking, "ask"), (policies, "show"), (batch_file, "update")),
        *((operate, name) for name in ("rollback", "status", "logs", "smoke")),
    ):
        made.stand_in(module, name, DONE)
    return made


@pytest.fixture
def told() -> tuple[Run, Told]:
    return run_told()


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize(
    ("name", "given", "function", "handed"),
    [
        ("rollback", ("3",), "rollback", ("3",)),
        ("status", (), "status", ()),
        ("logs", (5, True, print), "logs", (5, True, print)),
    ],
)
def test_a_service_is_found_by_its_folder_or_its_name(
    calls: Calls, told: tuple[Run, Told], by_name: bool, name: str, given: Any, function: str, handed: Any
) -> None:
    run, _ = told
    assert getattr(pipeline, name)(run, *given, by_name=by_name) is DONE
    looks = ["start_sandbox", "connect", "look_up"] if by_name else ["inspect", "start_sandbox", "connect"]
    assert calls.names == [*looks, function]
    if by_name:
        assert calls.made[2] == ("look_up", run, ACCOUNT)
    assert calls.made[-1] == (function, run, ACCOUNT, PREPARED, *handed)
    assert [stage.name for stage in run.recorder.stages] == ["check"] if by_name else ["program", "check"]
    assert run.recorder.facts == (() if by_name else (facts.Identity("iris:2", ""),))


def test_a_model_is_tested_sent_work_and_removed(calls: Calls, told: tuple[Run, Told]) -> None:
    run, _ = told
    agreed: Any = object()
    assert pipeline.smoke_service(run) is DONE
    assert calls.made[-1] == ("smoke", run, ACCOUNT, PREPARED)
    assert pipeline.submit(run, WORK, by_name=True) is DONE
    assert calls.made[-1] == ("submit", run, PREPARED, ACCOUNT, WORK)
    assert pipeline.destroy(run, agreed, True) is DONE
    local_, destroyed = calls.made[-2:]
    assert local_ == ("on_this_computer", run, "iris", None)
    names = pipeline.names_of(run.settings, "iris")
    assert destroyed == ("destroy", run, names, ACCOUNT, agreed, True, "local")


def test_what_needs_only_an_account_signs_in(calls: Calls, told: tuple[Run, Told]) -> None:
    run, _ = told
    for name, function in (
        *(("login", "login"), ("bootstrap", "bootstrap"), ("network", "network")),
        ("list_models", "list_models"),
    ):
        calls.made.clear()
        assert getattr(pipeline, name)(run) is DONE
        assert calls.names == ["start_sandbox", "connect", function]
        assert calls.made[-1] == (function, run, ACCOUNT)


@pytest.mark.parametrize(("model", "account"), [("iris", ACCOUNT), ("http://m", None)])
def test_an_address_needs_no_account(calls: Calls, told: tuple[Run, Told], model: str, account: Any) -> None:
    run, _ = told
    assert pipeline.ask(run, model, Path("in.csv"), True, print) is DONE
    assert calls.made[-1] == ("ask", run, account, model, Path("in.csv"), True, print)
    assert ("connect" in calls.names) is (account is not None)


def test_others_are_handed_on_as_they_are(calls: Calls, told: tuple[Run, Told]) -> None:
    run, _ = told
    place: Any = object()
    for call, handed in (
        (lambda: pipeline.serve(run, place), ("start", run, place)),
        (lambda: pipeline.stop_serving(run, True), ("stop", run, True)),
        (lambda: pipeline.mapping(run, Path("a"), "t", Path("b")), ("write", run, Path("a"), "t", Path("b"))),
        (lambda: pipeline.smoke(run), ("test", run)),
        (lambda: pipeline.smoke(run, keep=True), ("keep", run)),
        (lambda: pipeline.iam_policy(run, print, True), ("show", run, print, True)),
    ):
        assert call() is DONE
        assert calls.made[-1] == handed
    assert pipeline.doctor(run) is DONE
    assert calls.made[-2:] == [("start_sandbox", run), ("examine", run)]
    assert pipeline.dockerfile(run) is Outcome.DOCKERFILE
    assert calls.made[-1] == ("prepare", run)


def test_a_batch_file_is_read_for_what_is_made_or_removed(calls: Calls, told: tuple[Run, Told]) -> None:
    run, _ = told
    agreed: Any = object()
    calls.stand_in(batch_file, "read", "file")
    calls.stand_in(batch_file, "names_of", "names")
    assert pipeline.batch_environment(run) is DONE
    assert calls.made == [("read", run), ("update", run, "file")]
    assert pipeline.destroy_environment(run, agreed) is DONE
    assert calls.made[-1] == ("destroy", run, "names", ACCOUNT, agreed)
    assert ("names_of", run, "file") in calls.made


@pytest.mark.parametrize("name", ["submit", "mapping", "login", "bootstrap", "network", "stop_serving"])
def test_what_cannot_be_rehearsed_does_nothing(calls: Calls, name: str) -> None:
    run, _ = run_told({"dry-run": "true"})
    more = {"submit": (WORK,), "mapping": (Path(), "", Path())}.get(name, ())
    with pytest.raises(InputError, match="dry-run: this command cannot say what it would do"):
        getattr(pipeline, name)(run, *more)
    assert calls.made == []


def test_a_run_is_planned_with_a_connection_that_asks(calls: Calls) -> None:
    run, _ = run_told({"dry-run": "true"})
    release: Any = object()
    calls.stand_in(everything, "check", (None, release))
    assert pipeline.run(run) is DONE
    assert calls.names == ["inspect", "check", "plan_release"]
    assert calls.made[1:] == [("check", run, PREPARED), ("plan_release", release)]
    calls.stand_in(everything, "check", (None, None))
    with pytest.raises(InputError) as refused:
        pipeline.plan(run)
    assert str(refused.value) == "Without push-to-ecr nothing is made in AWS."
    assert refused.value.remedy == "There is nothing to plan: see push-to-ecr."


def test_a_finished_image_has_no_dockerfile(calls: Calls) -> None:
    run, _ = run_told({"from-archive": "iris.tar"})
    with pytest.raises(InputError) as refused:
        pipeline.dockerfile(run)
    assert str(refused.value) == "A finished image (from-archive) has no Dockerfile to write."
    assert refused.value.remedy == "Leave from-archive out."
    assert calls.made == []


@pytest.mark.parametrize("remedy", ["", "Correct it."])
def test_a_folder_that_is_none_of_a_model_says_how_to_name_it(
    calls: Calls, told: tuple[Run, Told], remedy: str
) -> None:
    calls.stand_in(make, "inspect", ProgramError("no program", remedy, ("detail",)))
    with pytest.raises(ProgramError) as refused:
        pipeline.status(told[0])
    assert (str(refused.value), refused.value.details) == ("no program", ("detail",))
    name = "Without the folder, give the model's name in its place (model-dockerize list shows them)."
    assert refused.value.remedy == f"{remedy} {name}".strip()
    assert "connect" not in calls.names


@pytest.mark.parametrize("is_held", [False, True])
def test_an_archive_is_loaded_or_there(calls: Calls, is_held: bool) -> None:
    engine, contents = SimpleNamespace(platform="linux/arm64"), object()
    loaded = SimpleNamespace(ref="iris:2")
    calls.stand_in(image, "probe", engine)
    calls.stand_in(download, "look", contents)
    calls.stand_in(download, "load", lambda *given: (is_held and given[2].unchanged("it is there"), loaded)[1])
    calls.stand_in(download, "built_here", "b")
    run, _ = run_told({}, {"A": "b"})
    assert pipeline.load(run, Path("iris.tar")) is (Outcome.UNCHANGED if is_held else Outcome.LOADED)
    assert [call[:3] for call in calls.made] == [
        ("probe", {"A": "b"}),
        ("look", Path("iris.tar"), "linux/arm64"),
        ("load", engine, contents),
        ("built_here", {"A": "b"}, contents),
    ]
    assert run.recorder.facts == (
        facts.Identity("iris:2", "b"),
        facts.Headline("iris:2. Run it: docker run --rm -p 9090:80 iris:2"),
    )


def test_what_lies_in_the_folder_is_named_when_a_model_is_removed(calls: Calls, told: tuple[Run, Told]) -> None:
    model: Any = SimpleNamespace(name="iris", version="2", path=Path("/models/iris"))
    calls.stand_in(make, "inspect", FromFolder(model, "b", "linux/amd64", Expectation("b"), "FROM x", "7"))
    agreed: Any = object()
    pipeline.destroy(told[0], agreed)
    assert ("on_this_computer", told[0], "iris", Path("/models/iris")) in calls.made
