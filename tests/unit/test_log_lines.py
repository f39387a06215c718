"""A program's log: the lines that tell what failed are shown, with where it is in the program."""

from model_dockerize.aws.ecs.rollout.evidence import _lines
from model_dockerize.aws.ecs.stopped_tasks import StoppedTask
from model_dockerize.log_lines import of_job, short, without_prefixes

INSIDE = [f'  File "/usr/local/lib/python3.13/site-packages/pandas/core/{n}.py", line {n}, in get' for n in range(9)]
CODE = "    score = df['tenure']"
TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "/program/main.py", line 3, in <module>',
    "    main()",
    '  File "/program/main.py", line 9, in main',
    "    scores(df)",
    '  File "/program/lib/scores.py", line 6, in scores',
    CODE,
    "            ~~^^^^",
    *INSIDE,
    "KeyError: 'tenure'",
]


def test_a_traceback_in_a_log_is_read_as_one() -> None:
    job = "2026-11-29T10:00:00Z job fe26024c-a19a-4f67-9381-f2e45dd98f4d"
    proof = "2026-11-29T10:00:00Z job self-test"
    lines = [f"{job} | Traceback (most recent call last):", f'{proof} |   File "main.py"', f"{job} created, 9 bytes"]
    assert without_prefixes(lines) == ["Traceback (most recent call last):", '  File "main.py"', lines[2]]


def test_of_a_long_traceback_the_last_places_in_the_program_are_kept() -> None:
    assert short(["status: Error", *TRACEBACK]) == [
        "status: Error",
        "… 3 more lines with -v",
        *TRACEBACK[3:7],
        "… 4 more lines with -v",
        *INSIDE[3:],
        "KeyError: 'tenure'",
    ]


def test_of_another_log_only_the_first_and_last_lines_are_kept() -> None:
    lines = [f"line {n}" for n in range(16)]
    assert short(lines) == ["line 0", "… 8 more lines with -v", *lines[9:]]
    assert short(lines[:9]) == lines[:9]


def test_a_single_line_is_not_left_out() -> None:
    lines = ["first", "between", *TRACEBACK[5:7], *INSIDE]
    assert short(lines)[:4] == lines[:4]


def test_a_place_in_the_program_at_the_end_needs_no_line_of_code() -> None:
    lines = [*(f"line {n}" for n in range(12)), TRACEBACK[1]]
    assert short(lines)[-1] == TRACEBACK[1]


JOB = "2026-11-29T10:00:00Z job fe26024c-a19a-4f67-9381-f2e45dd98f4d"


def test_of_a_batch_job_each_line_is_told_once() -> None:
    mode = "2026-11-29T10:00:00Z runner: mode command"
    printed = [f"{JOB} | {line}" for line in ("read 3 rows", *TRACEBACK)]
    told = [mode, "read 3 rows", *TRACEBACK]
    assert of_job([mode, *printed, f"model-server: {TRACEBACK[0]}", *TRACEBACK[1:]]) == told
    assert of_job([mode, *printed, "model-server: It was killed.", *TRACEBACK]) == [*told, "It was killed."]
    assert of_job([mode, *printed]) == told, "a container that was killed"


def test_of_a_batch_job_nothing_is_lost_where_the_log_begins_late_or_says_something_else() -> None:
    error = [f"model-server: {TRACEBACK[0]}", *TRACEBACK[1:]]
    assert of_job([*(f"{JOB} | {line}" for line in TRACEBACK[5:]), *error]) == TRACEBACK
    assert of_job([f"{JOB} | bye", *error]) == ["bye", *TRACEBACK]
    assert of_job(["model-server: the input is a.csv", "model-server: cannot read the input"]) == [
        *("model-server: the input is a.csv", "cannot read the input"),
    ]
    assert of_job([]) == []


def test_the_log_of_a_task_is_told_without_prefixes() -> None:
    log = tuple(f"2026-11-29T10:00:00Z job self-proof | {line}" for line in TRACEBACK)
    task = StoppedTask("arn:task/1", "EssentialContainerExited", "it ended", 3, "", log)
    assert _lines((), [task], ()) == (task.summary(), *TRACEBACK)
