"""The course of a build here: what is prepared, refused, built, tested, served; each call and each word."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize import image, program, smoke
from model_dockerize.errors import BuildError, EngineError, InputError, SmokeError
from model_dockerize.image import Cache, Image, Place, Step
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import download, make
from model_dockerize.pipeline.context import START_TIMEOUT, FromArchive, FromFolder, Named, Prepared
from model_dockerize.report import facts
from model_dockerize.smoke import Check, Expectation, SmokeResult
from tests.rig.leaks import planted
from tests.rig.told import Calls, run_told
from tests.unit.test_log_lines import JOB

mapping = importlib.import_module("model_dockerize.pipeline.mapping")
serving = importlib.import_module("model_dockerize.pipeline.serve")  # by `from`, it is the function
ENGINE: Any = SimpleNamespace(version="28", buildx_version="0.30", containerd_store=False, environment={})
MODEL: Any = SimpleNamespace(
    **{"name": "iris", "version": "2", "command": ("python", "main.py"), "base_image": "debian:12"},
    **{"license_public_key": "", "sample": None, "init_file": "", "system_packages": ()},
    packages=SimpleNamespace(source="requirements.txt"),
    files=(SimpleNamespace(size=3), SimpleNamespace(size=4)),
    path=Path("/models/my iris"),
)
EXPECTATION = Expectation("b", without_sample="Add one.")
FOLDER = FromFolder(MODEL, "b", "linux/arm64", EXPECTATION, "FROM x", "7")
BUILT = Image(
    "iris:2", "sha256:0123456789abcdef", 5_000_000, "b", None, "linux/arm64", (Step("a", True, 0), Step("b", False, 1))
)
GOOD = SmokeResult("http://m", (Check("health", True, 0.5, "ok"),))
BAD = SmokeResult("http://m", (Check("health", False, 0.5, "500"), Check("job", True, 0.5, "ok")))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(monkeypatch)


@dataclass
class Container:
    """Stand in for one that runs."""

    code: int | None = None
    urls: tuple[str, ...] = ("http://127.0.0.1:1",)
    asked: list[Any] = field(default_factory=list)

    def logs(self, tail: int) -> str:
        self.asked.append(tail)
        return f"{JOB} | a line\nTraceback"

    def exited(self) -> int | None:
        return self.code


@contextmanager
def running(calls: Calls, given: Any, named: Any, container: Container) -> Iterator[Container]:
    calls.made.append(("run", given, named))
    try:
        yield container
    finally:
        calls.made.append(("removed",))


def with_container(calls: Calls, module: Any, name: str, container: Container) -> None:
    calls.patch.setattr(module, name, lambda *given, **named: running(calls, given, named, container))


def test_a_folder_is_prepared_and_its_dockerfile_written(calls: Calls) -> None:
    calls.stand_in(make, "inspect", FOLDER)
    calls.stand_in(program, "write_dockerfile", Path("/models/Dockerfile"))
    run, told = run_told()
    assert make.prepare(run) is FOLDER
    assert calls.made[1] == ("write_dockerfile", MODEL, "FROM x")
    assert told.lines == [
        ("program", "info", "Dockerfile: /models/Dockerfile"),
        ("program", "info", "iris:2 runs python main.py on debian:12"),
    ]
    assert run.recorder.facts == (facts.Dockerfile("/models/Dockerfile"),)
    other: Any = Prepared(Named("iris", "1"), "b", "linux/amd64", EXPECTATION)
    calls.stand_in(make, "inspect", other)
    assert make.prepare(run) is other
    assert calls.names == ["inspect", "write_dockerfile", "inspect"]


def test_what_cannot_be_rehearsed_is_refused_first(calls: Calls) -> None:
    calls.stand_in(make, "inspect", FOLDER)
    run, _ = run_told({"dry-run": "true"})
    with pytest.raises(InputError) as refused:
        make.prepare(run)
    assert str(refused.value) == "dry-run: this command cannot say what it would do, so nothing was done."
    assert refused.value.remedy == (
        "Leave dry-run out. These have it: run (or plan), push, batch, deploy, rollback, destroy."
    )
    assert calls.made == []


@pytest.mark.parametrize(
    ("environment", "place"),
    [({}, "'/models/my iris'"), ({"GITHUB_WORKSPACE": "/github/workspace", "GITHUB_ACTIONS": "true"}, "'my iris'")],
)
def test_a_folder_is_inspected_for_what_its_image_will_be(
    calls: Calls, environment: dict[str, str], place: str
) -> None:
    sample = program.Sample(Path("in.csv"), Path("expected.csv"), "text/csv", Path("map.json"))
    found = SimpleNamespace(
        **{**vars(MODEL), "sample": sample, "system_packages": ("gcc", "make"), "license_public_key": "k"}
    )
    calls.stand_in(image, "find_sources", "sources")
    calls.stand_in(image, "server_version", "7")
    calls.stand_in(image, "server_ref", "server:7")
    calls.stand_in(program, "inspect", found)
    calls.stand_in(make, "origin", "https://github.com/o/r")
    calls.stand_in(program, "render_dockerfile", "FROM y")
    calls.stand_in(program, "build_id", "c" * 32)
    run, told = run_told({"platforms": "linux/arm64", "aws-config-file": "keys.ini"}, environment)
    run.settings = replace(run.settings, smoke=replace(run.settings.smoke, license_key=planted("license")))
    settings = run.settings
    with run.recorder.stage("program") as stage:
        prepared = make.inspect(run, stage)
    private = (settings.aws.aws_config_file,)
    assert calls.made == [
        ("find_sources",),
        ("server_version", "sources"),
        ("inspect", settings.program, settings.image, settings.smoke, stage, private),
        ("origin", found.path, environment),
        ("server_ref", "7", "linux/arm64"),
        ("render_dockerfile", found, "server:7"),
        ("build_id", found, "FROM y", "7"),
    ]
    assert run.settings == replace(settings, service=replace(settings.service, source="https://github.com/o/r"))
    folder = place.strip("'")
    expectation = Expectation(
        build_id="c" * 32,
        sample_input=Path("in.csv"),
        sample_expected=Path("expected.csv"),
        sample_mapping=Path("map.json"),
        input_type="text/csv",
        name="iris",
        license_key=planted("license"),
        without_sample=(
            f"Add one real input as {folder}/smoke/input.csv (or .json, .txt, ...), and its answer as smoke/expected.* "
            f"beside it. To have one of a data file there, else a stub: model-dockerize init {place}"
        ),
    )
    known: Any = found
    assert prepared == FromFolder(known, "c" * 32, "linux/arm64", expectation, "FROM y", "7")
    assert [text for _, _, text in told.lines] == [
        f"build id: {'c' * 32}",
        "on: debian:12 (linux/arm64)",
        "packages: requirements.txt",
        "system packages: gcc make",
        "license: a key is needed",
        "sample: in.csv (text/csv), mapped by map.json, must answer expected.csv",
        "called as: python main.py",
    ]
    assert run.recorder.facts == (facts.Identity("iris:2", "c" * 32),)


def test_without_a_platform_it_is_that_of_this_computer(calls: Calls) -> None:
    for module, name, answer in (
        *((image, "find_sources", None), (image, "server_version", "7"), (image, "server_ref", "s")),
        *((image, "own_platform", "linux/own"), (program, "inspect", MODEL), (make, "origin", "")),
        *((program, "render_dockerfile", ""), (program, "build_id", "b")),
    ):
        calls.stand_in(module, name, answer)
    run, _ = run_told()
    with run.recorder.stage("program") as stage:
        prepared = make.inspect(run, stage)
    assert prepared.platform == "linux/own"
    assert (prepared.expectation.sample_input, prepared.expectation.input_type) == (None, "")


def test_an_archive_is_inspected_by_its_own(calls: Calls) -> None:
    calls.stand_in(download, "inspect", "prepared")
    run, told = run_told({"from-archive": "iris.tar"})
    run.settings = replace(run.settings, notes=("a note",))
    with run.recorder.stage("program") as stage:
        prepared: Any = make.inspect(run, stage)
    assert prepared == "prepared"
    assert calls.made == [("inspect", run, run.settings.image.from_archive, stage)]
    assert told.lines == [("program", "info", "a note")]


@pytest.mark.parametrize(
    ("wanted", "has_store", "refused"), [("false", False, False), ("true", True, False), ("true", False, True)]
)
def test_provenance_needs_a_store_that_keeps_it(calls: Calls, wanted: str, has_store: bool, refused: bool) -> None:
    engine = SimpleNamespace(containerd_store=has_store)
    calls.stand_in(image, "probe", engine)
    run, _ = run_told({"provenance": wanted}, {"A": "b"})
    if not refused:
        found: Any = make.engine_for(run)
        assert found is engine
        assert calls.made == [("probe", {"A": "b"})]
        return
    with pytest.raises(EngineError) as error:
        make.engine_for(run)
    assert str(error.value) == (
        "provenance: this Docker Engine keeps images in its classic store, which drops attestations."
    )
    assert error.value.remedy == (
        "Leave provenance out, or turn the engine's containerd image store on: "
        "https://docs.docker.com/engine/storage/containerd/"
    )


OTHERS: Any = SimpleNamespace(claim="")
ARCHIVE = FromArchive(Named("iris", "2"), "image-1", "linux/amd64", EXPECTATION, OTHERS)


@pytest.mark.parametrize(
    ("flags", "prepared", "refused"),
    [
        ({"api-key": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:k-AbCdEf"}, ARCHIVE, True),
        (
            {"api-key": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:k-AbCdEf", "deploy-service": "false"},
            *(ARCHIVE, False),
        ),
        ({"api-key": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:k-AbCdEf"}, FOLDER, False),
        ({}, ARCHIVE, False),
    ],
)
def test_nobody_asks_for_a_key_in_an_image_of_others(
    calls: Calls, flags: dict[str, str], prepared: Prepared, refused: bool
) -> None:
    calls.stand_in(download, "check")
    calls.stand_in(make, "_check")
    run, _ = run_told(flags)
    if not refused:
        make.check(run, prepared, ENGINE)
        assert calls.made == [("check" if prepared is ARCHIVE else "_check", run, prepared, ENGINE)]
        return
    with pytest.raises(InputError) as error:
        make.check(run, prepared, ENGINE)
    assert str(error.value) == (
        "This image has no model server of ours, so nobody would ask for the API key (api-key)."
    )
    assert error.value.remedy == "Leave api-key out, and say by allow-from who may connect."


@pytest.mark.parametrize(
    ("flags", "prepared", "refused"),
    [
        ({}, FOLDER, True),
        ({"deploy-service": "false"}, FOLDER, False),
        ({}, ARCHIVE, False),
    ],
)
def test_only_tasks_of_our_server_that_are_deployed_must_share_a_queue(
    calls: Calls, flags: dict[str, str], prepared: Prepared, refused: bool
) -> None:
    calls.stand_in(download, "check")
    calls.stand_in(make, "_check")
    run, _ = run_told({"load-balancer": "true", "desired-count": "2"})
    run.settings = replace(
        run.settings, service=replace(run.settings.service, deploy_service="deploy-service" not in flags)
    )
    if not refused:
        make.check(run, prepared, ENGINE)
        return
    with pytest.raises(InputError) as error:
        make.check(run, prepared, ENGINE)
    assert str(error.value) == (
        "desired-count asks for several tasks behind a load balancer, and each would have a job queue of its own: "
        "a client that asks one for a job of another gets 404."
    )
    assert error.value.remedy == (
        "Name a PostgreSQL database that they share (queue-url) and a volume for their files, or keep one task."
    )


@pytest.mark.parametrize("platforms", ["", "linux/arm64"])
@pytest.mark.parametrize(
    ("key", "sample", "test", "given", "refused"),
    [
        ("k", True, "true", "", True),
        ("k", True, "true", "license", False),
        ("k", True, "false", "", False),
        ("k", False, "true", "", False),
        ("", True, "true", "", False),
    ],
)
def test_a_licensed_model_is_proved_with_a_key(
    calls: Calls, platforms: str, key: str, sample: bool, test: str, given: str, refused: bool
) -> None:
    calls.stand_in(image, "check_platform")
    calls.stand_in(image, "find_sources", "sources")
    run, _ = run_told({"smoke-test": test} | ({"platforms": platforms} if platforms else {}))
    run.settings = replace(run.settings, smoke=replace(run.settings.smoke, license_key=given))
    model: Any = SimpleNamespace(license_public_key=key, sample=object() if sample else None)
    prepared = replace(FOLDER, program=model)
    if refused:
        with pytest.raises(InputError) as error:
            make._check(run, prepared, ENGINE)
        assert str(error.value) == (
            "The model takes no data without a license key (license-public-key), so it cannot be proved."
        )
        assert error.value.remedy == (
            "Give the smoke test a key of this model: license-key. `model-dockerize license issue` makes one."
        )
    else:
        make._check(run, prepared, ENGINE)
    assert calls.made == [("find_sources",), ("check_platform", ENGINE, "linux/arm64", bool(platforms), "sources")]


@pytest.mark.parametrize("pushes", [False, True])
def test_a_build_has_a_cache_and_an_archive_none(calls: Calls, pushes: bool) -> None:
    calls.stand_in(image, "choose_cache", Cache("gha"))
    run, _ = run_told({"cache": "gha"}, {"A": "b"})
    assert make.cache(run, ARCHIVE, ENGINE, pushes) == Cache("none")
    assert calls.made == []
    assert make.cache(run, FOLDER, ENGINE, pushes) == Cache("gha")
    assert calls.made == [("choose_cache", "gha", ENGINE, pushes, {"A": "b"})]


def test_an_archive_is_loaded_and_named_by_what_was_built_here(calls: Calls) -> None:
    calls.stand_in(download, "load", BUILT)
    calls.stand_in(download, "built_here", "b")
    run, _told = run_told({}, {"A": "b"})
    assert make.obtain(run, ARCHIVE, ENGINE, Cache("none")) is BUILT
    assert calls.made[0][:3] == ("load", ENGINE, OTHERS)
    assert calls.made[1] == ("built_here", {"A": "b"}, OTHERS)
    assert run.recorder.facts == (facts.Identity("iris:2", "b"),)
    assert [stage.name for stage in run.recorder.stages] == ["load"]


def test_a_build_that_the_engine_holds_is_only_named(calls: Calls) -> None:
    calls.stand_in(image, "find", replace(BUILT, ref="old"))
    calls.stand_in(image, "tag")
    run, told = run_told()
    assert make.obtain(run, FOLDER, ENGINE, Cache("none")) == BUILT
    assert calls.made == [("find", ENGINE, "b"), ("tag", ENGINE, replace(BUILT, ref="old"), "iris:2")]
    assert told.lines == [("build", "info", "The engine holds this build already: 0123456789ab")]
    assert run.recorder.stages[0].status == "unchanged"


def building(calls: Calls, built: Image = BUILT) -> None:
    calls.stand_in(image, "find")
    calls.stand_in(image, "find_sources", "sources")
    calls.stand_in(image, "server_image")
    calls.stand_in(image, "unreachable_proxies", ())
    calls.stand_in(image, "cache_options", ("options",))
    calls.stand_in(image, "cache_variables", {"V": "1"})
    calls.stand_in(image, "build", built)
    calls.stand_in(program, "write_context")


def test_a_build_is_asked_for_with_all_that_it_needs(calls: Calls, tmp_path: Path) -> None:
    building(calls)
    (tmp_path / "ca.pem").touch()
    flags = {"ca-bundle": str(tmp_path / "ca.pem")}
    run, told = run_told(flags, {"SSL_CERT_FILE": "/none"})
    cache = Cache("inline", ("no gha here",))
    assert make.obtain(run, FOLDER, ENGINE, cache, "r.example/iris") is BUILT
    secrets = {"ca-bundle": tmp_path / "ca.pem"}
    made = {call[0]: call[1:] for call in calls.made}
    assert made["server_image"][:4] == (ENGINE, "7", "linux/arm64", "sources")
    assert made["server_image"][5:] == (secrets,)
    assert made["cache_options"] == (cache, "r.example/iris", "iris", {"SSL_CERT_FILE": "/none"})
    assert made["cache_variables"] == (cache, {"SSL_CERT_FILE": "/none"})
    engine, context, request, _ = made["build"]
    assert engine is ENGINE
    assert request == image.BuildRequest(
        tags=("iris:2",),
        build_args={"MODEL_BUILD_ID": "b"},
        secrets=secrets,
        platform="linux/arm64",
        cache=("options",),  # type: ignore[arg-type]
        provenance=False,
        size=7,
        build_id="b",
        variables={"V": "1"},
    )
    context("target")
    assert calls.made[-1] == ("write_context", MODEL, "FROM x", "target")
    assert [text for _, level, text in told.lines if level == "info"] == [
        "no gha here",
        "cache: inline",
        "iris:2: 5 MB, 1 steps ran, 1 cached",
    ]
    (warning,) = run.recorder.warnings
    assert "SSL_CERT_FILE" in warning


@pytest.mark.parametrize(
    ("wanted", "cache", "lines"),
    [
        ("auto", Cache("none"), []),
        ("none", Cache("none"), []),
        ("auto", Cache("none", ("why",)), [("info", "why"), ("info", "cache: none")]),
        ("gha", Cache("none", ("why",)), [("warning", "why"), ("info", "cache: none")]),
        ("auto", Cache("gha"), [("info", "cache: gha")]),
    ],
)
def test_a_cache_that_was_asked_for_and_cannot_be_is_warned_of(wanted: str, cache: Cache, lines: Any) -> None:
    run, told = run_told()
    with run.recorder.stage("build") as stage:
        make._tell(cache, wanted, stage)
    assert [line[1:] for line in told.lines] == lines


def test_an_image_for_another_platform_is_no_image(calls: Calls) -> None:
    building(calls, replace(BUILT, platform="linux/amd64"))
    run, _ = run_told()
    with pytest.raises(BuildError) as refused:
        make.obtain(run, FOLDER, ENGINE, Cache("none"))
    assert str(refused.value) == "iris:2 was built for linux/amd64, not for linux/arm64."
    assert refused.value.remedy == "The base image decides: choose another base-image, or platforms."


@pytest.mark.parametrize("pushes", ["true", "false"])
def test_an_archive_is_written_of_what_was_tested(calls: Calls, tmp_path: Path, pushes: str) -> None:
    archive = image.Archive(tmp_path / "iris.tar.gz", "gx-images:t-1", 2_000_000)
    calls.stand_in(make, "obtain", BUILT)
    calls.stand_in(make, "smoke_local", GOOD)
    calls.stand_in(image, "save", archive)
    run, told = run_told({"archive": str(tmp_path), "push-to-ecr": pushes})
    assert make.build(run, FOLDER, ENGINE, Cache("none"), "r") is BUILT
    assert calls.made[0] == ("obtain", run, FOLDER, ENGINE, Cache("none"), "r")
    assert calls.made[1][:5] == ("smoke_local", run, FOLDER, ENGINE, BUILT)
    assert calls.made[2][:5] == ("save", ENGINE, BUILT, tmp_path, "iris")
    assert told.lines == [("archive", "info", f"{tmp_path}/iris.tar.gz (2 MB), loads as gx-images:t-1")]
    load = f"docker load -i {tmp_path}/iris.tar.gz"
    headline = facts.Headline(f"gx-images:t-1. Elsewhere: {load}, docker run --rm -p 9090:80 gx-images:t-1")
    assert run.recorder.facts == (
        facts.Archive(str(tmp_path / "iris.tar.gz")),
        *([headline] if pushes == "false" else []),
    )


def test_an_image_is_tested_as_its_service_will_run_it(calls: Calls) -> None:
    container = Container()
    with_container(calls, image, "run", container)
    calls.stand_in(make, "prove", GOOD)
    run, _ = run_told({"environment": "A=b", "memory": "4096"})
    with run.recorder.stage("smoke-local") as stage:
        assert make.smoke_local(run, FOLDER, ENGINE, BUILT, stage) is GOOD
    ran, proved, removed = calls.made
    assert ran == ("run", (ENGINE, BUILT.id, {"A": "b"}, "model-dockerize-smoke"), {"memory": 4096})
    assert proved[:5] == ("prove", run, FOLDER, container.urls, stage)
    assert removed == ("removed",)
    alive = proved[5]
    assert alive() is None
    container.code = 0
    assert alive() == "the container ended with exit code 0"
    assert [type(fact) for fact in run.recorder.facts] == [facts.SmokeTested]


@pytest.mark.parametrize(
    ("lines", "sentence", "remedy"),
    [
        ((), "", "Correct the program, or look into the image: docker run --rm -p 9090:80 iris:2"),
        (("killed",), "", "more memory"),
    ],
)
def test_an_image_that_does_not_answer_is_told_with_its_log(
    calls: Calls, lines: tuple[str, ...], sentence: str, remedy: str
) -> None:
    container = Container()
    with_container(calls, image, "run", container)
    calls.stand_in(make, "prove", BAD)
    calls.stand_in(image, "diagnose_program", SimpleNamespace(sentence=sentence, remedy=""))
    calls.stand_in(make.memory, "was_killed", bool(lines))
    calls.stand_in(make.memory, "remedy", "more memory")
    run, _ = run_told({"memory": "4096"})
    with pytest.raises(SmokeError) as refused, run.recorder.stage("smoke-local") as stage:
        make.smoke_local(run, FOLDER, ENGINE, BUILT, stage)
    assert str(refused.value) == "The image does not answer as a model must; nothing was pushed."
    assert refused.value.remedy == remedy
    assert refused.value.details == ("health: 500", "a line", "Traceback")
    assert container.asked == [50]
    assert calls.names[-1] == "removed" or "removed" in calls.names


@pytest.mark.parametrize(("made_here", "check"), [(True, "check"), (False, "check_foreign")])
def test_an_image_of_others_is_proved_by_what_it_offers(calls: Calls, made_here: bool, check: str) -> None:
    calls.stand_in(smoke, "check", GOOD)
    calls.stand_in(smoke, "check_foreign", GOOD)
    run, told = run_told({"smoke-timeout": "30"})
    prepared: Prepared = FOLDER if made_here else ARCHIVE
    with run.recorder.stage("smoke-local") as stage:
        assert make.prove(run, prepared, ("http://m",), stage) is GOOD
    ((name, *given, alive),) = calls.made
    assert (name, given) == (check, [("http://m",), prepared.expectation, START_TIMEOUT, 30, stage])
    assert alive() is None
    warned = [("smoke-local", "warning", "There is no sample input for the model, so no job is tried. Add one.")]
    assert told.lines == [*(warned if made_here else []), ("smoke-local", "info", "1 checks passed")]


# `serve`

PLACE = Place("127.0.0.1", 9090, "jobs")


@pytest.fixture
def serves(calls: Calls) -> Calls:
    calls.stand_in(make, "prepare", FOLDER)
    calls.stand_in(image, "probe", ENGINE)
    calls.stand_in(make, "check")
    calls.stand_in(make, "cache", Cache("none"))
    calls.stand_in(make, "obtain", BUILT)
    calls.stand_in(image, "serves", False)
    calls.stand_in(make, "prove", GOOD)
    with_container(calls, image, "serve", Container())
    return calls


def test_a_model_that_runs_there_already_stays(serves: Calls) -> None:
    serves.stand_in(image, "serves", True)
    run, told = run_told({"allowed-hosts": "a.example"}, {"A": "b"})
    assert serving.start(run, PLACE) is Outcome.UNCHANGED
    place = replace(PLACE, hosts=("a.example",))
    assert serves.made == [
        ("prepare", run),
        ("probe", {"A": "b"}),
        ("check", run, FOLDER, ENGINE),
        ("cache", (run, FOLDER, ENGINE), {"pushes": False}),
        ("obtain", run, FOLDER, ENGINE, Cache("none")),
        ("serves", ENGINE, "model-dockerize-iris", BUILT, place),
    ]
    assert told.lines == [
        ("check", "info", "Docker Engine 28, buildx 0.30"),
        ("serve", "info", "Container model-dockerize-iris runs this image there already."),
    ]
    assert run.recorder.facts == (facts.Address("http://127.0.0.1:9090", "this computer"),)
    assert run.recorder.stages[-1].status == "unchanged"


@pytest.mark.parametrize(
    ("volume", "kept"), [("jobs", "on volume jobs"), ("", "in the container, and end with it (--data-volume)")]
)
def test_a_model_takes_its_place_when_it_answers(serves: Calls, volume: str, kept: str) -> None:
    place = replace(PLACE, volume=volume)
    run, told = run_told()
    assert serving.start(run, place) is Outcome.SERVING
    assert serves.made[6] == ("run", (ENGINE, "model-dockerize-iris", BUILT, place), {})
    assert serves.made[7][:4] == ("prove", run, FOLDER, ("http://127.0.0.1:1",))
    assert serves.made[7][5]() is None
    assert told.lines[1:] == [
        ("serve", "info", "container model-dockerize-iris on 127.0.0.1:9090: iris:2"),
        ("serve", "info", f"jobs, results and license are {kept}"),
    ]
    tested, address = run.recorder.facts
    assert isinstance(tested, facts.SmokeTested) and (tested.what, tested.test.passed) == ("image", True)
    assert address == facts.Address("http://127.0.0.1:9090", "this computer")


def test_a_model_that_does_not_answer_gets_no_address(serves: Calls) -> None:
    serves.stand_in(make, "prove", BAD)
    run, _ = run_told()
    with pytest.raises(SmokeError) as refused:
        serving.start(run, PLACE)
    assert str(refused.value) == "The model does not answer as it must; its container was removed."
    assert refused.value.remedy == (
        "Read above what it said; another model's data volume is refused: each model needs its own."
    )
    assert refused.value.details == ("health: 500", "a line", "Traceback")
    assert [type(fact) for fact in run.recorder.facts] == [facts.SmokeTested]


@pytest.mark.parametrize(
    ("address", "who"),
    [
        ("127.0.0.1", "this computer"),
        ("::1", "this computer"),
        ("0.0.0.0", "whoever reaches port 9090 of this computer"),  # noqa: S104 - it is only asked for
        ("::", "whoever reaches port 9090 of this computer"),
        ("10.0.0.1", "whoever reaches 10.0.0.1:9090 of this computer"),
    ],
)
def test_who_reaches_the_place(address: str, who: str) -> None:
    assert serving.who_can_reach(replace(PLACE, address=address)) == who


# `mapping`

ENTRIES = [{"destination": "a", "source": "A"}, {"destination": "ä"}, {"destination": "c", "source": ""}]


def test_a_mapping_is_asked_of_an_address(calls: Calls, tmp_path: Path) -> None:
    calls.stand_in(smoke, "propose_mapping", ENTRIES)
    run, told = run_told({"smoke-url": "http://m.example"})
    target = tmp_path / "map.json"
    assert mapping.write(run, Path("data.csv"), "text/csv", target) is Outcome.WRITTEN
    assert calls.made == [("propose_mapping", ("http://m.example",), Path("data.csv"), "text/csv", START_TIMEOUT)]
    assert target.read_text() == (
        '[\n  {"destination": "a", "source": "A"},\n  {"destination": "ä"},\n  {"destination": "c", "source": ""}\n]\n'
    )
    assert run.recorder.facts == (facts.Headline(f"{target}: 3 fields, 1 found in the data"),)
    assert told.lines == [
        (
            "mapping",
            "warning",
            "Not found in the data: ä, c. Give each a source or a defaultValue; the model refuses the file as long as "
            "a field that it needs has neither.",
        )
    ]


def test_without_an_address_a_mapping_is_asked_of_the_image(calls: Calls, tmp_path: Path) -> None:
    container = Container()
    calls.stand_in(image, "probe", ENGINE)
    calls.stand_in(make, "prepare", FOLDER)
    calls.stand_in(make, "check")
    calls.stand_in(make, "cache", Cache("none"))
    calls.stand_in(make, "build", BUILT)
    with_container(calls, image, "run", container)
    calls.stand_in(smoke, "propose_mapping", ENTRIES[:1])
    run, told = run_told({}, {"A": "b"})
    assert mapping.write(run, Path("data.csv"), "", tmp_path / "map.json") is Outcome.WRITTEN
    assert calls.made[:6] == [
        ("probe", {"A": "b"}),
        ("prepare", run),
        ("check", run, FOLDER, ENGINE),
        ("cache", (run, FOLDER, ENGINE), {"pushes": False}),
        ("build", run, FOLDER, ENGINE, Cache("none")),
        ("run", (ENGINE, BUILT.id, {}, "model-dockerize-mapping"), {}),
    ]
    name, *given, alive = calls.made[6]
    assert (name, given) == ("propose_mapping", [container.urls, Path("data.csv"), "", START_TIMEOUT])
    assert alive() is None
    assert told.lines == []


def test_a_mapping_that_cannot_be_written(calls: Calls, tmp_path: Path) -> None:
    calls.stand_in(smoke, "propose_mapping", ENTRIES)
    run, _ = run_told({"smoke-url": "http://m.example"})
    with pytest.raises(InputError) as refused:
        mapping.write(run, Path("data.csv"), "", tmp_path / "none" / "map.json")
    assert str(refused.value) == f"{tmp_path}/none/map.json cannot be written: No such file or directory."
    assert refused.value.remedy == "Name another with --output."
