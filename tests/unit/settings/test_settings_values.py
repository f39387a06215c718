"""Texts become values, and everything that is wrong is told at once."""

from pathlib import Path

import pytest

from model_dockerize.errors import InputError
from model_dockerize.settings import Given, feeds_itself, to_settings
from model_dockerize.settings.fargate import memories

BASE = Path("/base")


def layer(**texts: str) -> dict[str, Given]:
    names = {name.replace("_", "-"): text for name, text in texts.items()}
    return {name: Given(text, f"--{name}", BASE) for name, text in names.items()}


def problems(**texts: str) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        to_settings([layer(**texts)])
    return caught.value.details


def test_later_layers_win_and_empty_values_do_not_count() -> None:
    settings = to_settings([layer(cluster="one", service="s"), layer(cluster="two", service=" ")])
    assert (settings.service.cluster, settings.service.service) == ("two", "s")


def test_every_problem_is_told_at_once() -> None:
    found = problems(cpu="many", image_name="Iris", push_to_ecr="maybe", vpc="v", nonsense="x")
    assert len(found) == 5
    with pytest.raises(InputError, match="2 inputs are wrong"):
        to_settings([layer(cpu="many", vpc="v")])


@pytest.mark.parametrize(
    ("name", "resource", "meant"),
    [
        ("cluster", "ecs:eu-central-1:123456789012:cluster/prod", "prod"),
        ("service", "ecs:eu-central-1:123456789012:service/prod/iris", "iris"),
        ("service", "ecs:eu-central-1:123456789012:service/iris", "iris"),
        ("task_definition", "ecs:eu-central-1:123456789012:task-definition/iris:7", "iris"),
        ("job_queue", "batch:eu-central-1:123456789012:job-queue/models", "models"),
        ("job_definition_name", "batch:eu-central-1:123456789012:job-definition/iris:12", "iris"),
        ("subnets", "ec2:eu-central-1:123456789012:subnet/subnet-0123abcd", "subnet-0123abcd"),
        ("image_name", "s3:::models", "models"),  # some say no type
    ],
)
def test_an_arn_in_place_of_a_name_comes_with_the_name_in_it(name: str, resource: str, meant: str) -> None:
    (problem,) = problems(**{name: f"arn:aws:{resource}"})
    assert problem.endswith(f"Did you mean {meant}?")


def test_an_arn_without_a_name_that_would_do_suggests_none() -> None:
    (problem,) = problems(cluster="arn:aws:ecs:eu-central-1:123456789012:cluster/two words")
    assert "Did you mean" not in problem


@pytest.mark.parametrize(
    ("text", "meant"), [("My Image", "my-image"), ("My_Model!", "my-model"), ("a:1", "image-version"), ("-", "")]
)
def test_a_wrong_image_name_comes_with_one_that_would_do(text: str, meant: str) -> None:
    (problem,) = problems(image_name=text)
    assert meant in problem
    assert ("Did you mean" in problem) is ("-" in meant and meant != "image-version")


@pytest.mark.parametrize("text", ["true", "True", "TRUE", " true "])
def test_truth_in_any_letter_case(text: str) -> None:
    assert to_settings([layer(assign_public_ip=text)]).service.assign_public_ip is True


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("image_name", "-iris"),
        ("image_name", "a//b"),
        ("image_name", "iris\nRUN rm -rf /"),
        *(("image_name", text) for text in ("A", "a b", "a:1", "a..b", "a/", "\u00e4", "a___b", "x" * 256, "\ud800")),
        *(("image_version", text) for text in ("a b", "-a", "a/b", "a\nb", '1"')),
        ("image_version", ".hidden"),
        ("image_version", "x" * 129),
        ("repository", "r"),
        ("python_version", "3.13; rm"),
        ("python_version", "3.\u0663"),
        ("aws_region", "here"),
        ("aws_account_id", "12345678901"),
        ("aws_account_id", "\u0661" * 12),
        ("cluster", "\u00e9t\u00e9"),
        ("system_packages", "curl,--allow-unauthenticated"),
        ("system_packages", "curl;reboot"),
        ("runner_mode", "fast"),
        ("batch_records", "-1"),
        ("batch_wait_ms", "0"),
        ("subnets", "subnet-1,vpc-2"),
        ("security_groups", "default"),
        ("vpc_cidr", "10.0.0.1/16"),
        ("vpc_cidr", "10.0.0.0/8"),
        ("vpc_cidr", "10.0.0.0/25"),
        ("vpc_cidr", "fd00::/16"),
        ("zones", "0"),
        ("volume", "fs-data"),
        ("volume", "x" * 41),
        ("zones", "7"),
        ("smoke_url", "ftp://x"),
        ("smoke_url", "http://["),
        ("smoke_url", "http://x:99999"),
        ("desired_count", "-1"),
        ("wait_timeout", "0"),
        ("wait_timeout", "\u0661"),
        ("command", "python a.py\x00"),
        ("command", "python a.py\u2028b"),
        ("report", "a\x00b"),
        ("report", "~nobody-has-this-name/x"),
        ("sandbox", "1"),
    ],
)
def test_what_is_refused(name: str, text: str) -> None:
    (problem,) = problems(**{name: text})
    assert problem.startswith(f"--{name.replace('_', '-')}: ")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("version", ".1"),
        ("job_definition_name", "a b"),
        ("cache", "always"),
        ("job_queue", "a/b"),
        ("compute_environment", "a/b"),
        ("update_function", "a.b"),
        ("function_source", "s3://bucket"),
        ("scan_gate", "SEVERE"),
        ("role_to_assume", "arn:aws:iam::123456789012:user/x"),
        ("permissions_boundary", "arn:aws:iam::123456789012:role/x"),
        ("compute_type", "LAMBDA"),
        ("instance_types", "g5.xlarge.8"),
        ("service", "a/b"),
        ("task_definition", "a:1"),
        ("platforms", "linux/386"),
        ("load_balancer", "a/b"),
        ("certificate", "arn:aws:iam::123456789012:server-certificate/x"),
        ("on_cancel", "stop"),
        ("extras", "-plots"),
        ("dependency_groups", "-serve"),
        ("torch_index", "http://x"),
        ("allowed_hosts", "x:80"),
        ("vpc", "subnet-1"),
    ],
)
def test_what_has_another_form_is_quoted(name: str, text: str) -> None:
    (problem,) = problems(**{name: text})
    assert problem.startswith(f"--{name.replace('_', '-')}: {text!r} is ")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("image_name", text) for text in ("org/iris_classifier-2.0", "a", "a/b_c/d-e.f", "a__b", "a---b", "x" * 255)),
        ("image_version", "v1.2.3_rc"),
        ("system_packages", "libgomp1 g++ libssl3=3.0.11-1~deb12u2"),
        ("desired_count", "0"),
        ("runner_mode", "warm"),
        ("batch_records", "0"),
        ("smoke_url", "http://127.0.0.1:8080"),
    ],
)
def test_what_is_accepted(name: str, text: str) -> None:
    to_settings([layer(**{name: text})])


@pytest.mark.parametrize("name", ["iris:1.0", "registry.example:5000/iris:1", f"iris@sha256:{'0' * 64}"])
def test_a_tag_in_the_name_of_an_image_is_sent_to_its_own_input(name: str) -> None:
    assert problems(image_name=name) == (
        f"--image-name: {name!r} holds a tag or digest; the tag is the input image-version",
    )


def test_lists_are_split_at_commas_blanks_and_lines() -> None:
    assert to_settings([layer(subnets="subnet-1, subnet-2\nsubnet-3")]).service.subnets == (
        "subnet-1",
        "subnet-2",
        "subnet-3",
    )


def test_the_aws_stages_follow_push_to_ecr() -> None:
    off = to_settings([layer(push_to_ecr="false")])
    assert (off.batch.create_job_def, off.service.deploy_service) == (False, False)
    on = to_settings([layer(deploy_service="false")])
    assert (on.batch.create_job_def, on.service.deploy_service) == (True, False)
    (problem,) = problems(push_to_ecr="false", deploy_service="true")
    assert "needs the image in ECR" in problem


def test_fargate_sizes_are_pairs() -> None:
    (problem,) = problems(cpu="256", memory="4096")
    assert "The nearest that is large enough: cpu 512, memory 4096" in problem
    (problem,) = problems(cpu="300")
    assert "The nearest that is large enough: cpu 512, memory 2048" in problem
    for cpu in (256, 512, 1024, 2048, 4096, 8192, 16384, 32768):
        assert memories(cpu)
        for memory in memories(cpu):
            to_settings([layer(cpu=str(cpu), memory=str(memory))])


class TestFunction:
    def test_it_has_to_know_queue_and_definition(self) -> None:
        assert "name a job-queue" in problems(update_function="f")[0]
        assert "create-job-def is false" in problems(update_function="f", job_queue="q", create_job_def="false")[0]
        assert len(problems(function_source="data", function_output="s3://results/{name}")) == 2

    @pytest.mark.parametrize(
        ("source", "output", "is_a_circle"),
        [
            ("data", "s3://data/out/{name}.csv", True),
            ("data/in/", "s3://data/in/{name}.out", True),
            ("data/in/", "s3://data/{name}", True),  # a file may be called anything
            ("data/in/", "s3://data/out/{name}.csv", False),
            ("data", "s3://data-out/{name}.csv", False),
            ("data", "/data/{name}.csv", False),
            ("data", "", False),
        ],
    )
    def test_what_its_jobs_write_must_not_start_jobs(self, source: str, output: str, is_a_circle: bool) -> None:
        assert feeds_itself(source, output) is is_a_circle
        if is_a_circle:
            named = {"update_function": "f", "job_queue": "q", "function_source": source, "function_output": output}
            assert "without end" in problems(**named)[0]


def test_what_shapes_our_own_network_does_not_go_with_a_given_one() -> None:
    found = problems(subnets="subnet-1", zones="2", vpc_cidr="10.8.0.0/16")
    assert [line.split(":")[0] for line in found] == ["--zones", "--vpc-cidr"]
    assert to_settings([layer(zones="3", vpc_cidr="10.8.0.0/20")]).service.vpc_cidr == "10.8.0.0/20"


def test_a_queue_on_the_volume_takes_one_task_and_a_shared_queue_takes_a_volume() -> None:
    (problem,) = problems(volume="data", desired_count="2")
    assert problem.startswith("--desired-count: ")
    assert "queue-url" in problem
    (problem,) = problems(queue_url="postgresql://u@h/q")
    assert problem == "--queue-url: tasks that share a queue share its files too: name a volume"
    (problem,) = problems(volume="data", environment="MODEL_SERVER_USER=7:7")
    assert "leave MODEL_SERVER_USER out" in problem
    both = to_settings([layer(volume="fs-0123abcd", desired_count="2", queue_url="postgresql://u@h/q")]).service
    assert not both.is_alone
    assert to_settings([layer(volume="data")]).service.is_alone


@pytest.mark.parametrize("kind", ["FARGATE", "FARGATE_SPOT"])
@pytest.mark.parametrize(("name", "text"), [("gpus", "1"), ("instance_types", "m5.large")])
def test_fargate_has_neither_gpus_nor_types_of_instances(kind: str, name: str, text: str) -> None:
    (problem,) = problems(compute_type=kind, **{name: text})
    assert problem.startswith(f"--{name.replace('_', '-')}: Fargate has no ")
    assert problem.endswith("; set compute-type to EC2 or SPOT")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"max_count": "2", "desired_count": "2"}, "--max-count: max-count 2 must be more than desired-count"),
        ({"max_count": "3", "desired_count": "0"}, "--max-count: max-count 3 must be more than desired-count"),
        ({"max_count": "3", "scale_on_cpu": "96"}, "--scale-on-cpu: 96 % leaves nothing to see: 95 at most"),
        ({"max_count": "3", "volume": "data"}, "--max-count: several tasks share their jobs by a database"),
        ({"load_balancer_port": "443", "load_balancer": "true"}, "--load-balancer-port: port 443 needs a certificate"),
        ({"load_balancer": "true", "zones": "1"}, "--load-balancer: a load balancer needs two zones or more"),
    ],
)
def test_what_the_load_asks_for_must_fit(given: dict[str, str], told: str) -> None:
    (problem,) = problems(**given)
    assert problem.startswith(told)


def test_a_load_that_fits_is_taken() -> None:
    given = layer(max_count="3", desired_count="2", scale_on_cpu="95", load_balancer="true", zones="2")
    assert to_settings([given]).service.scale_on_cpu == 95
