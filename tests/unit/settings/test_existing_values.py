"""Each value of the three existing files becomes its input, whole; all mistakes are told at once with their places."""

from pathlib import Path
from typing import Any

import pytest

from model_dockerize.compat.aws_config import AwsConfig, read_aws_config
from model_dockerize.compat.batch_file import (
    FOR_DEFINITION,
    FOR_ENVIRONMENT,
    BatchFile,
    ComputeEnvironmentConfig,
    JobConfig,
    JobDefinitionConfig,
    JobQueueConfig,
    is_batch_file,
    read_batch_file,
    read_section,
)
from model_dockerize.compat.config_ini import Written, folder_of, read_config_ini
from model_dockerize.compat.ini import Entry, Ini, read_ini
from model_dockerize.compat.sections import section_names
from model_dockerize.errors import InputError

BATCH = """\
client: {region: eu-central-1}
comp_env:
  computer_enviornment_name: e-1
  security_group_ids: sg-0123abcd, sg-4567abcd sg-89ab0123
  subnets: [subnet-0123abcd, subnet-4567abcd]
  service_role: arn:aws:iam::123456789012:role/a/batch
  instance_role: profile@x
  max_vcpus: 1
job_queue: {job_queue_name: q, job_queue_priority: 0, computer_enviornment_name: other}
job_def:
  job_definition_name: d
  image: r/i:1@sha256:%s
  command: python "a b.py" Ref::x
  memory: 4
  vcpus: 999999999
  job_definition_param: [{name: x, value: 1}, {value: , name: y}]
  job_definition_enviornment_variables: {A: b, C: }
job:
  job_name: j
  job_param: {x: "1"}
  job_command: [python, "", Ref::x]
  job_vcpus: 1
  job_memory: 4
  retry_attempts: 10
  job_enviornment_variables: [{name: A, value: b}]
  job_definition_name: d2
  job_queue_name: q2
""" % ("0123abcd" * 8)
ENVIRONMENT = ComputeEnvironmentConfig(
    name="e-1",
    subnets=("subnet-0123abcd", "subnet-4567abcd"),
    security_group_ids=("sg-0123abcd", "sg-4567abcd", "sg-89ab0123"),
    service_role="arn:aws:iam::123456789012:role/a/batch",
    instance_role="profile@x",
    max_vcpus=1,
)
QUEUE = JobQueueConfig(name="q", compute_environment="other", priority=0)
DEFINITION = JobDefinitionConfig(
    name="d",
    image=f"r/i:1@sha256:{'0123abcd' * 8}",
    command=("python", "a b.py", "Ref::x"),
    memory=4,
    vcpus=999_999_999,
    parameters=(("x", "1"), ("y", "")),
    environment=(("A", "b"), ("C", "")),
)
JOB = JobConfig(
    name="j",
    queue="q2",
    definition="d2",
    parameters=(("x", "1"),),
    command=("python", "", "Ref::x"),
    vcpus=1,
    memory=4,
    retry_attempts=10,
    environment=(("A", "b"),),
)
DICTIONARIES: dict[str, Any] = {
    "comp_env": {
        "compute_environment_name": "e-1",
        "security_group_ids": ["sg-0123abcd", "sg-4567abcd", "sg-89ab0123"],
        "subnets": "subnet-0123abcd subnet-4567abcd",
        "service_role": ENVIRONMENT.service_role,
        "instance_role": "profile@x",
        "max_vcpus": 1,
    },
    "job_queue": {"job_queue_name": "q", "job_queue_priority": 0, "computer_enviornment_name": "other"},
    "job_def": {
        "job_definition_name": "d",
        "image": DEFINITION.image,
        "command": 'python "a b.py" Ref::x',
        "memory": 4,
        "vcpus": "999999999",
        "job_definition_param": {"x": 1, "y": None},
        "job_definition_environment_variables": [{"name": "A", "value": "b"}, {"name": "C", "value": ""}],
    },
    "job": {
        "job_name": "j",
        "job_param": {"x": 1},
        "job_command": ["python", "", "Ref::x"],
        "job_vcpus": 1,
        "job_memory": 4,
        "retry_attempts": 10,
        "job_environment_variables": {"A": "b"},
        "job_definition_name": "d2",
        "job_queue_name": "q2",
    },
}
PARTS = {
    "comp_env": {"compute_environment": ENVIRONMENT},
    "job_queue": {"job_queue": QUEUE},
    "job_def": {"job_definition": DEFINITION},
    "job": {"job": JOB},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "BatchConfig.yml"
    path.write_text(BATCH, encoding="utf-8")
    return path


def test_every_value_of_a_batch_file_is_read(file: Path) -> None:
    assert read_batch_file(file, FOR_ENVIRONMENT) == BatchFile(
        file, "eu-central-1", ENVIRONMENT, QUEUE, DEFINITION, JOB
    )
    assert read_batch_file(file, FOR_DEFINITION) == BatchFile(file, "eu-central-1", job_definition=DEFINITION)
    assert read_batch_file(file, {}) == BatchFile(file)


@pytest.mark.parametrize("name", PARTS)
def test_a_section_is_read_of_file_and_dictionary_alike(name: str, file: Path) -> None:
    assert read_section(file, name, {}) == BatchFile(file, **PARTS[name])
    assert read_section(DICTIONARIES, name, {}) == BatchFile(Path(), **PARTS[name])


def test_what_a_call_gives_counts_more_than_the_section(file: Path) -> None:
    given = {"job_definition_name": "other", "image": "i"}
    for source in (file, DICTIONARIES, {"job_def": {"memory": 4}}):
        made = read_section(source, "job_def", given).job_definition
        assert made is not None
        assert (made.name, made.image) == ("other", "i")


def test_what_a_section_does_not_say_is_in_another(tmp_path: Path) -> None:
    path = tmp_path / "BatchConfig.yml"
    path.write_text(
        "comp_env: {compute_environment_name: e, subnets: subnet-0123abcd, security_group_ids: [sg-0123abcd]}\n"
        "job_queue: {job_queue_name: q}\njob_def: {job_definition_name: d, image: i}\njob: {job_name: j}\n",
        encoding="utf-8",
    )
    assert read_batch_file(path, FOR_ENVIRONMENT) == BatchFile(
        path,
        compute_environment=ComputeEnvironmentConfig("e", ("subnet-0123abcd",), ("sg-0123abcd",)),
        job_queue=JobQueueConfig("q", "e"),
        job_definition=JobDefinitionConfig("d", "i"),
        job=JobConfig("j", "q", "d"),
    )
    assert read_section(path, "job", {}).job == JobConfig("j", "q", "d")
    assert read_section(path, "job_queue", {}).job_queue == JobQueueConfig("q", "e")


@pytest.mark.parametrize(
    ("said", "given"),
    [
        ({"vcpus": 1}, {"cpu"}),
        ({"memory": 4}, {"memory"}),
        ({"environment": (("A", "b"),)}, {"environment"}),
        ({}, set()),
    ],
)
def test_what_a_definition_gives_itself_is_known(said: dict[str, Any], given: set[str]) -> None:
    assert JobDefinitionConfig("d", **said).given == given


WRONG = """\
client: {region: nowhere}
comp_env:
  computer_enviornment_name: "a b"
  security_group_ids: sg-0123abcd, x
  subnets: {a: b}
  service_role: "a b"
  instance_role: "arn:aws:iam::1:role/x"
  max_vcpus: 0
job_queue: {job_queue_name: q q, job_queue_priority: -1, computer_enviornment_name: []}
job_def:
  job_definition_name: [d]
  image: a b
  command: [a, "b\\tc"]
  memory: 3
  vcpus: 1000000000
  job_definition_param: {a: [b]}
  job_definition_enviornment_variables: [{name: A, value: b}, {name: A, value: c}]
  imaeg: x
  image: y
job:
  job_name: j j
  job_param: [{name: A}]
  job_command: "a 'b"
  job_vcpus: x
  job_memory: 3
  retry_attempts: 0
  job_environment_variables: {a: {b: c}}
  job_definition_name: d d
job_deff: {}
job: {}
"""
NAME = "is not letters, digits, _ and - (at most 128)"
PAIRS = "it must be a mapping of names to plain values, or a list of {name: ..., value: ...}"
TOLD = """\
18, job_def.imaeg: there is no key of this name. Did you mean image?
19, job_def.image: the key stands in the section twice
29, job_deff: there is no section of this name. Did you mean job_def?
30, job: the section stands in the file twice
1, client.region: 'nowhere' is not a region like eu-central-1
3, comp_env.computer_enviornment_name: 'a b' NAME
5, comp_env.subnets: it must be a list of plain values
4, comp_env.security_group_ids: 'x' is not an id like sg-0123abcd
6, comp_env.service_role: 'a b' is not the name or ARN of a role
7, comp_env.instance_role: 'arn:aws:iam::1:role/x' is not the name or ARN of a role
8, comp_env.max_vcpus: '0' is not a whole number of at least 1
9, job_queue.job_queue_name: 'q q' NAME
3, comp_env.computer_enviornment_name: 'a b' NAME
9, job_queue.job_queue_priority: '-1' is not a whole number of at least 0
11, job_def.job_definition_name: it must be one plain value
12, job_def.image: 'a b' is not an image, e.g. REGISTRY/REPOSITORY:VERSION
13, job_def.command: 'b\\tc' is not a text on one line
14, job_def.memory: '3' is not a whole number of at least 4
15, job_def.vcpus: '1000000000' is not a whole number of at least 1
16, job_def.job_definition_param: PAIRS
17, job_def.job_definition_enviornment_variables: A stands there twice
21, job.job_name: 'j j' NAME
9, job_queue.job_queue_name: 'q q' NAME
28, job.job_definition_name: 'd d' NAME
22, job.job_param: PAIRS
23, job.job_command: it cannot be split into words: No closing quotation
24, job.job_vcpus: 'x' is not a whole number of at least 1
25, job.job_memory: '3' is not a whole number of at least 4
26, job.retry_attempts: '0' is not a whole number from 1 to 10
27, job.job_environment_variables: PAIRS
"""


def refused(call: Any, *given: Any) -> tuple[str, str, tuple[str, ...]]:
    with pytest.raises(InputError) as caught:
        call(*given)
    return str(caught.value), caught.value.remedy, caught.value.details


def test_every_mistake_of_a_batch_file_is_told_with_its_line(file: Path) -> None:
    file.write_text(WRONG, encoding="utf-8")
    told = TOLD.replace("NAME", NAME).replace("PAIRS", PAIRS).splitlines()
    assert refused(read_batch_file, file, FOR_ENVIRONMENT) == (
        f"{file} is not right.",
        "Correct what is listed and run again.",
        tuple(f"{file}, line {line}" for line in told),
    )


def test_every_missing_value_is_told_once(file: Path) -> None:
    file.write_text(
        "comp_env: {subnets: }\njob_queue: {x: }\njob_def: {image: ''}\njob: {job_name: []}\n", encoding="utf-8"
    )
    assert refused(read_batch_file, file, FOR_ENVIRONMENT)[2] == tuple(
        f"{file}, line {line}"
        for line in (
            "2, job_queue.x: there is no key of this name.",
            *(f"1, comp_env: {key} is missing or empty"
              for key in ("compute_environment_name", "security_group_ids", "subnets")),
            "2, job_queue: job_queue_name is missing or empty",
            "3, job_def: job_definition_name is missing or empty",
            "3, job_def: image is missing or empty",
            "4, job: job_name is missing or empty",
            "2, job_queue: compute_environment_name is missing or empty",
            "4, job: job_queue_name is missing or empty",
            "4, job: job_definition_name is missing or empty",
        )
    )  # fmt: skip


def test_a_section_that_is_wrong_or_not_there_is_told(file: Path) -> None:
    remedy = "Describe it there: `job:`, and its keys under it."
    file.write_text("job_def: {}\n", encoding="utf-8")
    assert refused(read_section, file, "job", {}) == (f"{file}: there is no section job.", remedy, ())
    assert refused(read_section, {"job_def": {}}, "job", {}) == (
        "The dictionaries: there is no section job.",
        remedy,
        (),
    )
    missing = "job_def: image is missing or empty"
    given = {"job_definition_name": "d"}
    assert refused(read_section, file, "job_def", given) == (
        f"{file} is not right.",
        "Correct what is listed.",
        (f"{file}, line 1, {missing}",),
    )
    assert refused(read_section, {"job_def": {"memory": None}}, "job_def", given) == (
        "The dictionaries are not right.",
        "Correct what is listed.",
        (missing,),
    )


@pytest.mark.parametrize("value", [object(), {1, 2}.__iter__()])
def test_a_dictionary_that_is_no_yaml_is_told(value: Any) -> None:
    assert refused(read_section, {"job_def": {"image": value}}, "job_def", {})[:2] == (
        "The dictionaries hold what no YAML can hold.",
        "Give texts, numbers, lists, mappings.",
    )


@pytest.mark.parametrize(
    ("text", "names", "is_batch"),
    [
        ("job: {}\nx: 1\n", {"job", "x"}, True), ("client:\n", {"client"}, True), ("x: 1\n", {"x"}, False),
        ("- job\n", set(), False), ("", set(), False), ("job: {", set(), False), ("? [a]\n: b\n", {"?"}, False),
        ("null\n", set(), False),
    ],
)  # fmt: skip
def test_a_batch_file_is_known_by_its_sections(text: str, names: set[str], is_batch: bool, file: Path) -> None:
    file.write_text(text, encoding="utf-8")
    assert section_names(file) == names
    assert is_batch_file(file) is is_batch


def test_what_holds_no_sections_is_told(file: Path) -> None:
    for text in ("- job\n", "job\n"):
        file.write_text(text, encoding="utf-8")
        assert refused(read_batch_file, file, FOR_ENVIRONMENT) == (
            f"{file} must hold sections, e.g. `job_def:`.",
            "Put each key under the section that it belongs to.",
            (),
        )
    for text in ("", "null\n", "job_def:\n", "job_def: {}\n"):
        file.write_text(text, encoding="utf-8")
        assert read_batch_file(file, {"job_def": ()}).job in (None,)


def test_merged_keys_are_looked_for_in_their_order(file: Path) -> None:
    file.write_text(
        "job_def:\n  <<: [&a {image: a, memory: 4, <<: {vcpus: 7}}, {memory: 5, command: c}]\n  image: own\n"
        "  job_definition_name: d\n",
        encoding="utf-8",
    )
    assert read_batch_file(file, FOR_DEFINITION).job_definition == JobDefinitionConfig(
        "d", "own", ("c",), memory=4, vcpus=7
    )


INI = """\
# Written by hand
[aws]
Region = eu-central-1 ; as it is
long = a
  aws_id = %x
[other]
x = 1
[aws2]
"""


def test_of_an_ini_file_values_and_lines_are_known(tmp_path: Path) -> None:
    path = tmp_path / "x.ini"
    path.write_text("\ufeff" + INI, encoding="utf-8")
    assert read_ini(path, {"aws": ("region", "long", "aws_id"), "aws3": ()}) == Ini(
        path,
        {
            ("aws", "region"): Entry("eu-central-1 ; as it is", f"{path}, line 3, [aws] region"),
            ("aws", "long"): Entry("a\naws_id = %x", f"{path}, line 4, [aws] long"),
        },
        (
            (f"{path}, line 6, [other]", "there is no section of this name."),
            (f"{path}, line 8, [aws2]", "there is no section of this name. Did you mean aws?"),
        ),
    )
    found = read_ini(path, {"aws": ("regions", "long"), "other": ("y",), "aws2": ()})
    assert found.unknown == (
        (f"{path}, line 3, [aws] region", "there is no key of this name. Did you mean regions?"),
        (f"{path}, line 7, [other] x", "there is no key of this name."),
    )
    assert found.get("aws", "regions") == Entry("", f"{path}, [aws] regions")


VALID = "Write sections as [name] and values as key = value, each once."


@pytest.mark.parametrize(
    ("text", "details"),
    [
        ("[a]\nx = 1\n[a]\n", ["{}, line 3, [a]: the section stands in the file twice"]),
        ("[a]\nx = 1\nX = 2\n", ["{}, line 3, [a] x: the key stands in the section twice"]),
        ("\nx = 1\n", ["{}, line 2: a value stands before the first [section]"]),
        ("[a]\nsecret\nx = 1\nmore\n", ["{}, line 2: neither [section] nor key = value",
                                        "{}, line 4: neither [section] nor key = value"]),
    ],
)  # fmt: skip
def test_what_is_no_ini_file_is_told_by_lines(text: str, details: list[str], tmp_path: Path) -> None:
    path = tmp_path / "x.ini"
    path.write_text(text, encoding="utf-8")
    told = tuple(line.format(path) for line in details)
    assert refused(read_ini, path, {"a": ("x",)}) == (f"{path} is not a valid INI file.", VALID, told)


def test_an_ini_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.ini"
    assert refused(read_ini, path, {}) == (f"{path} cannot be read: No such file or directory.", "Check the path.", ())
    path.write_bytes(b"\xff")
    assert refused(read_ini, path, {}) == (f"{path} cannot be read: it is not UTF-8 text.", "Save it as UTF-8.", ())


AWS = {
    "region": "eu-central-1",
    "aws_access_key_id": "AKIDEXAMPLE",
    "aws_secret_access_key": "se/cr+et%=",
    "aws_session_token": "to~ken!",
    "aws_id": "123456789012",
}


def aws_file(folder: Path, **changes: str) -> Path:
    path = folder / "AwsConfig.ini"
    lines = [f"{key} = {text}" for key, text in {**AWS, **changes}.items()]
    path.write_text("\n".join(["[aws]", *lines]), encoding="utf-8")
    return path


def test_credentials_of_the_file_are_alone(tmp_path: Path) -> None:
    path = aws_file(tmp_path)
    read = read_aws_config(path)
    assert read == AwsConfig(path, "eu-central-1", "123456789012", "AKIDEXAMPLE", "se/cr+et%=", "to~ken!")
    assert repr(read) == f"AwsConfig(path={path!r}, region='eu-central-1', account='123456789012')"
    names = (
        "PROFILE",
        "DEFAULT_PROFILE",
        "SESSION_TOKEN",
        "ACCESS_KEY_ID",
        "SECRET_ACCESS_KEY",
        "WEB_IDENTITY_TOKEN_FILE",
    )
    around = {"HOME": "/h", "AWS_REGION": "r", **{f"AWS_{name}": "other" for name in names}}
    keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "se/cr+et%="}
    token = {"AWS_SESSION_TOKEN": "to~ken!"}
    assert read.applied_to(around) == {"HOME": "/h", "AWS_REGION": "r", **keys, **token}
    without_token = read_aws_config(aws_file(tmp_path, aws_session_token=""))
    assert without_token.applied_to(around) == {"HOME": "/h", "AWS_REGION": "r", **keys}
    nothing = dict.fromkeys(("aws_access_key_id", "aws_secret_access_key", "aws_session_token"), "")
    assert read_aws_config(aws_file(tmp_path, **nothing)).applied_to(around) == around


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"region": ""}, ["2, [aws] region: it is missing or empty; it must be a region like eu-central-1"]),
        ({"region": "x"}, ["2, [aws] region: 'x' is not a region like eu-central-1"]),
        ({"aws_id": "1"}, ["6, [aws] aws_id: '1' is not the account's 12 digits"]),
        ({"aws_id": "", "region": "x"}, ["2, [aws] region: 'x' is not a region like eu-central-1",
         "6, [aws] aws_id: it is missing or empty; it must be the account's 12 digits"]),
        ({"aws_access_key_id": ""},
         ["3, [aws] aws_access_key_id: it is missing or empty, but aws_secret_access_key is there"]),
        ({"aws_secret_access_key": ""},
         ["4, [aws] aws_secret_access_key: it is missing or empty, but aws_access_key_id is there"]),
        ({"aws_access_key_id": "a b", "aws_secret_access_key": "é", "aws_session_token": "\x7f"},
         [f"{line}, [aws] {key}: it must be one word of plain letters, digits and signs"
          for line, key in ((3, "aws_access_key_id"), (4, "aws_secret_access_key"), (5, "aws_session_token"))]),
        ({"aws_idd": "1"}, ["7, [aws] aws_idd: there is no key of this name. Did you mean aws_id?"]),
    ],
)  # fmt: skip
def test_every_mistake_of_the_credentials_is_told_without_a_secret(
    changes: dict[str, str], told: list[str], tmp_path: Path
) -> None:
    path = aws_file(tmp_path, **changes)
    assert refused(read_aws_config, path) == (
        f"{path} is not right.",
        "Correct what is listed and run again.",
        tuple(f"{path}, line {line}" for line in told),
    )


SECTIONS = {
    "awsauth": ("aws_config_file",),
    "dockerfile": ("program_path", "requirements_file", "init_file", "base_image"),
    "dockerimage": ("image_name", "image_version"),
    "ecr": ("push_to_ecr", "repository", "version"),
    "batch": ("batch_config_file", "create_job_def"),
}
STEPS = ("push-to-ecr", "create-job-def", "deploy-service")


def test_every_value_of_a_config_ini_is_an_input(tmp_path: Path) -> None:
    path = tmp_path / "Config.ini"
    path.write_text(
        "[awsauth]\naws_config_file = a\n[dockerfile]\nprogram_path = p\nrequirements_file = r\ninit_file = i\n"
        "base_image = b\n[dockerimage]\nimage_name = n\nimage_version = v\n[ecr]\npush_to_ecr = true\nrepository = y\n"
        "version = w\n[batch]\nbatch_config_file = c\ncreate_job_def = x\nnew = 1\n",
        encoding="utf-8",
    )
    at = f"{path}, line"
    assert read_config_ini(path, SECTIONS) == {
        "aws-config-file": Written("a", f"{at} 2, [awsauth] aws_config_file", "", STEPS),
        "program-path": Written("p", f"{at} 4, [dockerfile] program_path"),
        "requirements-file": Written("r", f"{at} 5, [dockerfile] requirements_file"),
        "init-file": Written("i", f"{at} 6, [dockerfile] init_file"),
        "base-image": Written("b", f"{at} 7, [dockerfile] base_image"),
        "image-name": Written("n", f"{at} 9, [dockerimage] image_name"),
        "image-version": Written("v", f"{at} 10, [dockerimage] image_version"),
        "push-to-ecr": Written("true", f"{at} 12, [ecr] push_to_ecr"),
        "repository": Written("y", f"{at} 13, [ecr] repository", "", ("push-to-ecr",)),
        "version": Written("w", f"{at} 14, [ecr] version", "", ("push-to-ecr",)),
        "batch-config-file": Written("c", f"{at} 16, [batch] batch_config_file", "", ("create-job-def",)),
        "create-job-def": Written("x", f"{at} 17, [batch] create_job_def"),
        "deploy-service": Written("false", f"{path} (it knows no service)"),
        f"{at} 18, [batch] new": Written("", f"{at} 18, [batch] new", "there is no key of this name."),
    }


@pytest.mark.parametrize("is_written", [True, False])
def test_what_a_config_ini_leaves_empty_is_what_it_used_to_be(is_written: bool, tmp_path: Path) -> None:
    path = tmp_path / "Config.ini"
    lines = [line for name, keys in SECTIONS.items() for line in (f"[{name}]", *(f"{key} = " for key in keys))]
    path.write_text("\n".join(lines) if is_written else "", encoding="utf-8")
    empty = "it is empty: write true or false" if is_written else ""
    flag = ("" if is_written else "false", empty)
    assert {name: (one.text, one.problem) for name, one in read_config_ini(path, SECTIONS).items()} == {
        "aws-config-file": ("", ""),
        "program-path": ("", "it is missing or empty; it is the folder that holds the program"),
        "requirements-file": ("none", ""),
        "init-file": ("none", ""),
        "base-image": ("python:3.6", ""),
        "image-name": ("", "it is missing or empty; it is the name of the image"),
        "image-version": ("latest", ""),
        "push-to-ecr": flag,
        "repository": ("", ""),
        "version": ("", ""),
        "batch-config-file": ("", ""),
        "create-job-def": flag,
        "deploy-service": ("false", ""),
    }


@pytest.mark.parametrize(
    ("program", "named", "found"),
    [
        ("p", "r.txt", "r.txt"),
        ("p", "p/r.txt", "r.txt"),
        ("p", "p/sub/../r.txt", "r.txt"),
        ("p", "p/sub/gone.txt", "sub/gone.txt"),
        ("p", "q/r.txt", "q/r.txt"),
        ("p/Dockerfile", "p/r.txt", "r.txt"),
        ("", "p/r.txt", "p/r.txt"),
        ("p", "\0", "\0"),
    ],
)
def test_files_may_be_named_from_the_folder_of_the_ini_file(
    program: str, named: str, found: str, tmp_path: Path
) -> None:
    (tmp_path / "p/sub").mkdir(parents=True)
    (tmp_path / "p/r.txt").touch()
    path = tmp_path / "Config.ini"
    path.write_text(
        f"[dockerfile]\nprogram_path = {program}\nrequirements_file = {named}\ninit_file = {named}\n", encoding="utf-8"
    )
    read = read_config_ini(path, SECTIONS)
    assert (read["requirements-file"].text, read["init-file"].text) == (found, found)
    assert read["requirements-file"].where == f"{path}, line 3, [dockerfile] requirements_file"
    assert read["init-file"].where == f"{path}, line 4, [dockerfile] init_file"
    assert read["program-path"].text == program.removesuffix("/Dockerfile")


def test_a_program_path_may_name_its_dockerfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd/Dockerfile").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for path, folder in (
        ("a/Dockerfile", "a"),
        ("Dockerfile", "."),
        ("a/b", "a/b"),
        ("odd/Dockerfile", "odd/Dockerfile"),
    ):
        assert folder_of(path) == folder
        assert folder_of(path, tmp_path) == folder
