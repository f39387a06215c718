"""A build's words are understood in each of the forms in which buildx says them."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_dockerize.image.buildlog import TAIL, WIDTH, BuildLog, Step, decode, short_name, without_credentials

START = "2026-11-22T00:11:35.970460878Z"
LATER = "2026-11-22T00:11:38.470460878Z"


def vertex(name: str, digest: str = "sha256:1", **fields: Any) -> dict[str, Any]:
    return {"vertexes": [{"digest": digest, "name": name, **fields}]}


def printed(text: str, digest: str = "sha256:1", stream: int = 1) -> dict[str, Any]:
    return {"logs": [{"vertex": digest, "stream": stream, "data": base64.b64encode(text.encode()).decode()}]}


def lines_of(text: str) -> list[str]:
    return text.splitlines(keepends=True)


OBJECTS = [vertex("[2/3] RUN x"), {"logs": [{"vertex": "a", "data": "fQp7"}]}, {}]


@pytest.mark.parametrize("indent", [None, 2])
def test_objects_on_one_line_or_over_several(indent: int | None) -> None:
    text = "".join(json.dumps(item, indent=indent) + "\n" for item in OBJECTS)
    assert list(decode(lines_of(text))) == OBJECTS


@pytest.mark.parametrize("indent", [None, 2])
def test_text_before_between_and_after(indent: int | None) -> None:
    first, second = (json.dumps(item, indent=indent) for item in OBJECTS[:2])
    text = f"WARNING: before\n{first}\n  between {{ }} \n\n{second}ERROR: at once\n   1 | FROM x\nlast"
    assert list(decode(lines_of(text))) == [
        "WARNING: before",
        OBJECTS[0],
        "  between { }",
        OBJECTS[1],
        "ERROR: at once",
        "   1 | FROM x",
        "last",
    ]


def test_several_objects_on_one_line() -> None:
    assert list(decode(['{"a": 1}{"b": 2} {"c": 3}\n'])) == [{"a": 1}, {"b": 2}, {"c": 3}]


def test_text_that_only_looks_like_an_object_is_text() -> None:
    assert list(decode(["{never closed\n", "more\n", '{"a": 1}\n'])) == ["{never closed", "more", {"a": 1}]
    assert list(decode(["{never closed\n"])) == ["{never closed"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.tuples(st.dictionaries(st.text(), values, max_size=3), st.sampled_from([None, 2])), max_size=5))
def test_any_objects_come_out_as_they_went_in(items: list[tuple[dict[str, Any], int | None]]) -> None:
    text = "".join(json.dumps(item, indent=indent) + "\n" for item, indent in items)
    assert list(decode(lines_of(text))) == [item for item, _ in items]


def test_a_step_that_ran_says_its_seconds() -> None:
    log = BuildLog()
    name = "[2/3] RUN pip install x"
    assert log.add(vertex(name)) == []
    assert log.add(vertex(name, started=START)) == []
    assert log.add(vertex(name, started=START, completed=LATER)) == [f"{name}: 2.5 s"]
    assert log.add(vertex(name, started=START, completed=LATER)) == []
    assert log.steps() == (Step(name, cached=False, seconds=2.5),)


def test_a_cached_step_says_so() -> None:
    log = BuildLog()
    shown = log.add(vertex("[stage-1 3/4] COPY . .", started=START, completed=START, cached=True))
    assert shown == ["[stage-1 3/4] COPY . .: cached"]
    assert log.steps() == (Step("[stage-1 3/4] COPY . .", cached=True, seconds=0.0),)


@pytest.mark.parametrize(
    "name", ["[internal] load build definition", "copy /context /", "[1/2] FROM python:3.13-slim-trixie"]
)
def test_what_is_no_instruction_is_no_step_and_silent_when_quick(name: str) -> None:
    log = BuildLog()
    assert log.add(vertex(name, started=START, completed=START)) == []
    assert log.steps() == ()


def test_what_takes_long_is_told_although_it_is_no_step() -> None:
    log = BuildLog()
    assert log.add(vertex("exporting to image", started=START, completed=LATER)) == ["exporting to image: 2.5 s"]
    assert log.steps() == ()


def test_output_comes_by_whole_lines_and_a_progress_bar_by_its_last_state() -> None:
    log = BuildLog()
    assert log.add(printed("Collect")) == []
    assert log.add(printed("ing numpy\r\n 10%\r 99%\r100%\nrest")) == ["  Collecting numpy", "  100%"]


def test_output_that_is_no_utf_8() -> None:
    log = BuildLog()
    item = {"logs": [{"vertex": "a", "data": base64.b64encode(b"caf\xe9\n").decode()}]}
    assert log.add(item) == ["  caf\N{REPLACEMENT CHARACTER}"]


def failed_log() -> BuildLog:
    log = BuildLog()
    name = "[2/2] RUN pip install nosuch==9"
    log.add(vertex("[2/2] COPY other", digest="sha256:2", error="context canceled"))
    log.add(printed("".join(f"line {i}\n" for i in range(100))))
    log.add(printed("ERROR: No matching distribution found for nosuch==9\n"))
    log.add(printed("[notice] A new release of pip is available"))
    error = 'process "/bin/sh -c pip install nosuch==9" did not complete successfully: exit code: 1'
    assert log.add(vertex(name, started=START, completed=LATER, error=error)) == [f"{name}: failed"]
    log.add("ERROR: failed to solve: something")
    return log


def test_a_failure_names_the_step_its_reason_and_the_end_of_its_output() -> None:
    failure = failed_log().failure()
    assert failure.step == "[2/2] RUN pip install nosuch==9"
    assert failure.reason == "ERROR: No matching distribution found for nosuch==9 (exit code 1)"
    assert failure.lines[-2:] == (
        "ERROR: No matching distribution found for nosuch==9",
        "[notice] A new release of pip is available",
    )
    assert len(failure.lines) == TAIL + 1
    assert failed_log().steps() == ()


def test_last_words_on_standard_error_survive_output_that_is_handed_over_after_them() -> None:
    log = BuildLog()
    log.add(vertex("[2/2] RUN train", started=START))
    log.add(printed("line 1\nli"))
    log.add(printed("error: no such wheel\n", stream=2))
    log.add(printed("ne 2\n" + "".join(f"line {number}\n" for number in range(3, 101))))
    log.add(vertex("[2/2] RUN train", started=START, completed=LATER, error="process did not ...: exit code: 3"))
    failure = log.failure()
    assert failure.reason == "error: no such wheel (exit code 3)"
    assert failure.lines[-2:] == ("line 100", "error: no such wheel")


def test_a_step_that_fails_in_silence_has_its_exit_code() -> None:
    log = BuildLog()
    log.add(vertex("[2/2] RUN false", started=START, completed=LATER, error="process did not ...: exit code: 3"))
    assert log.failure().reason == "exit code 3"


def test_a_failure_outside_of_any_step_is_in_the_text() -> None:
    log = BuildLog()
    end = "ERROR: failed to solve: unknown instruction: FOO"
    for line in ["Dockerfile:2", "--------", "   2 | >>> FOO", "--------", end]:
        log.add(line)
    failure = log.failure()
    assert failure.step == ""
    assert failure.reason == "unknown instruction: FOO"
    assert failure.lines == ("Dockerfile:2", "   2 | >>> FOO", end)


def test_no_word_at_all() -> None:
    assert BuildLog().failure().reason == "no reason was given"


PLAIN = """\
#0 building with "default" instance using docker driver
#1 [internal] load build definition from Dockerfile
#1 DONE 0.0s
#4 [1/3] FROM docker.io/library/python:3.13-slim-trixie
#4 DONE 0.0s
#5 [2/3] RUN echo hello
#5 CACHED
#6 [3/3] RUN echo "bad thing"; false
#6 0.212 bad thing
#6 ERROR: process "/bin/sh -c false" did not complete successfully: exit code: 1
------
 > [3/3] RUN echo "bad thing"; false:
0.212 bad thing
------
ERROR: failed to solve: process "/bin/sh -c false" did not complete successfully: exit code: 1
"""


def test_plain_progress_of_an_older_buildx() -> None:
    log = BuildLog()
    shown = [line for item in decode(lines_of(PLAIN)) for line in log.add(item)]
    assert shown == [
        "[2/3] RUN echo hello: cached",
        "  bad thing",
        '[3/3] RUN echo "bad thing"; false: failed',
    ]
    assert log.steps() == (Step("[2/3] RUN echo hello", cached=True, seconds=0.0),)
    failure = log.failure()
    assert (failure.step, failure.lines) == ('[3/3] RUN echo "bad thing"; false', ("bad thing",))
    assert failure.reason == "bad thing (exit code 1)"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Looking in indexes: https://user:pa55@host/simple", "Looking in indexes: https://***@host/simple"),
        ("https://token@host/x and http://a:b@c/", "https://***@host/x and http://***@c/"),
        ("mail me@host, https://host/@scope/x", "mail me@host, https://host/@scope/x"),
    ],
)
def test_credentials_in_addresses_are_cut_out(text: str, shown: str) -> None:
    assert without_credentials(text) == shown
    log = BuildLog()
    log.add(vertex("[2/2] RUN x"))
    assert log.add(printed(text + "\n")) == [f"  {shown}"]
    log.add(vertex("[2/2] RUN x", started=START, completed=LATER, error="exit code: 1"))
    assert log.failure().lines == (shown,)


PIP = (
    "[stage-0 4/9] RUN --mount=type=cache,target=/root/.cache/pip     --mount=type=secret,id=pip-config,required=false"
    "     if [ -f /run/secrets/pip-config ]; then export PIP_CONFIG_FILE=/run/secrets/pip-config; fi;"
    "     if [ -f /run/secrets/ca-bundle ]; then export PIP_CERT=/run/secrets/ca-bundle; fi;"
    "     export PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore;     python -m pip install -r requirements.txt"
)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (PIP, "[stage-0 4/9] RUN python -m pip install -r requirements.txt"),
        ("[2/3] RUN --mount=type=bind,target=/x \n  make\tall", "[2/3] RUN make all"),
        ("[2/3] RUN if [ -f mine ]; then make; fi && true", "[2/3] RUN if [ -f mine ]; then make; fi && true"),
        ("[2/3] RUN make && export A=1; true", "[2/3] RUN make && export A=1; true"),
        ("[2/3] COPY --from=server /opt/ /opt/", "[2/3] COPY --from=server /opt/ /opt/"),
        ("[2/3] RUN " + "x" * 200, "[2/3] RUN " + "x" * (WIDTH - 11) + "…"),
    ],
)
def test_a_steps_name_is_shown_short(name: str, shown: str) -> None:
    assert short_name(name) == shown


def test_only_the_shown_name_is_short_and_the_error_has_it_all() -> None:
    log = BuildLog()
    assert log.add(vertex(PIP, started=START, completed=LATER, error="exit code: 1")) == [f"{short_name(PIP)}: failed"]
    assert log.failure().step == PIP
    log = BuildLog()
    log.add(vertex(PIP, started=START, completed=LATER))
    assert log.steps() == (Step(PIP, False, 2.5),)


def status(vertex: str, what: str, current: int = 0, total: int = 0) -> dict[str, Any]:
    return {"statuses": [{"id": what, "vertex": vertex, "current": current, "total": total}]}


def test_what_is_moved_is_told_while_it_is() -> None:
    log = BuildLog()
    assert log.transfer == ("", 0, 0)
    log.add(status("v", "sha256:aa", 10, 100))
    log.add(status("v", "sha256:bb", 5, 50))
    assert log.transfer == ("pulling the base image", 15, 150)
    log.add(status("v", "extracting sha256:bb"))
    assert log.transfer == ("pulling the base image", 15, 150)
    log.add(status("w", "transferring context:", 77))
    assert log.transfer == ("transferring context", 77, 0)
    done = {
        "digest": "w",
        "name": "[internal] load",
        "started": "2026-01-01T00:00:00Z",
        "completed": "2026-01-01T00:00:01Z",
    }
    log.add({"vertexes": [done]})
    assert log.transfer == ("", 0, 0)
    log.add(status("x", "exporting manifest sha256:" + "a" * 64))
    assert log.transfer == ("exporting manifest", 0, 0)


def test_a_silent_step_is_named_from_its_start_until_it_prints() -> None:
    log = BuildLog()
    log.add({"vertexes": [{"digest": "i", "name": "[internal] load", "started": START}]})
    assert log.transfer == ("", 0, 0)
    log.add({"vertexes": [{"digest": "s", "name": "[stage-0 2/3] COPY lib lib", "started": START}]})
    assert log.transfer == ("[stage-0 2/3] COPY lib lib", 0, 0)
    log.add({"logs": [{"vertex": "s", "data": base64.b64encode(b"copied\n").decode()}]})
    assert log.transfer == ("", 0, 0)
