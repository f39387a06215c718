"""Config.ini, AwsConfig.ini and BatchConfig.yml as people have them: read unchanged, and every mistake told."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from model_dockerize.compat import sections
from model_dockerize.errors import InputError
from model_dockerize.settings import (
    FOR_DEFINITION,
    FOR_ENVIRONMENT,
    Settings,
    read_aws_config,
    read_batch_file,
)
from model_dockerize.settings.load import argument, described
from model_dockerize.settings.sources import from_flags
from model_dockerize.settings.values import to_settings
from tests.rig.existing_files import AWS_CONFIG, BATCH_CONFIG, CONFIG, write


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return write(tmp_path)


def settings(config: Path, **flags: str) -> Settings:
    named = {name.replace("_", "-"): text for name, text in flags.items()}
    return to_settings([described(argument(config)), from_flags(named)])


def changed(folder: Path, name: str, *changes: tuple[str, str]) -> Path:
    """Replace texts in the file, each of which must be there."""
    file = folder / name
    text = file.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    return file


def problems(call: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        call()
    return "\n".join((str(caught.value), *caught.value.details))


class TestConfigIni:
    def test_the_reference_file_is_read_as_it_stands(self, files: Path) -> None:
        read = settings(files / "Config.ini")
        assert read.program.program_path == files / "program"
        assert read.program.requirements_file == "requirements.txt"
        assert read.program.init_file == "none"
        assert (read.image.image_name, read.image.image_version) == ("sample-program", "latest")
        assert (read.registry.repository, read.registry.version) == ("sample-repository", "v1")
        assert (read.registry.push_to_ecr, read.batch.create_job_def) == (True, True)
        assert not read.service.deploy_service
        assert read.aws.aws_config_file == files / "AwsConfig.ini"
        assert read.batch.file and read.batch.file.job_definition
        assert read.batch.definition("x") == "sample-definition"

    @pytest.mark.parametrize("push", ["true", "FALSE", "True", "fAlSe"])
    @pytest.mark.parametrize("define", ["TRUE", "false", "tRuE"])
    def test_both_steps_are_switched_in_any_letter_case(self, files: Path, push: str, define: str) -> None:
        config = changed(
            files, "Config.ini", ("push_to_ecr = true", f"push_to_ecr = {push}"),
            ("create_job_def = true", f"create_job_def = {define}"),
        )  # fmt: skip
        read = settings(config)
        assert read.registry.push_to_ecr is (push.lower() == "true")
        assert read.batch.create_job_def is (define.lower() == "true")

    @pytest.mark.parametrize("key", ["push_to_ecr", "create_job_def"])
    @pytest.mark.parametrize("text", ["yes", "1", "on", "tru", "truee", "true false", ""])
    def test_any_other_text_is_refused(self, files: Path, key: str, text: str) -> None:
        config = changed(files, "Config.ini", (f"{key} = true", f"{key} = {text}"))
        told = problems(lambda: settings(config))
        assert f"] {key}: " in told
        assert "Config.ini, line " in told

    @pytest.mark.parametrize("key", ["program_path", "image_name"])
    @pytest.mark.parametrize("form", ["{key} =", "", "; {key}"])
    def test_what_is_required_is_missed(self, files: Path, key: str, form: str) -> None:
        line = next(line for line in CONFIG.splitlines() if line.startswith(key))
        config = changed(files, "Config.ini", (line, form.format(key=key)))
        assert f"] {key}: it is missing or empty" in problems(lambda: settings(config))

    def test_a_step_that_is_off_needs_none_of_its_values(self, files: Path) -> None:
        config = changed(
            files, "Config.ini",
            ("push_to_ecr = true", "push_to_ecr = false"), ("create_job_def = true", "create_job_def = false"),
            ("repository = sample-repository", "repository ="), ("version = v1", ""),
            ("aws_config_file = AwsConfig.ini", "aws_config_file ="), ("batch_config_file = BatchConfig.yml", ""),
        )  # fmt: skip
        assert settings(config).image.image_name == "sample-program"
        told = problems(lambda: settings(config, push_to_ecr="true", create_job_def="true"))
        for place in ("[ecr] repository", "[ecr] version", "[awsauth] aws_config_file", "[batch] batch_config_file"):
            assert f"{place}: it is missing or empty, but needed where " in told

    def test_a_section_may_be_left_out_with_its_step(self, files: Path) -> None:
        start = CONFIG.index("[ecr]")
        config = changed(files, "Config.ini", (CONFIG[start:], ""))
        read = settings(config)
        assert (read.registry.push_to_ecr, read.batch.create_job_def) == (False, False)

    def test_batch_config_is_not_even_opened_where_batch_is_not_asked_for(self, files: Path) -> None:
        (files / "BatchConfig.yml").unlink()
        (files / "AwsConfig.ini").unlink()
        config = changed(files, "Config.ini", ("create_job_def = true", "create_job_def = false"))
        assert settings(config).batch.file is None

    def test_the_sandbox_needs_no_keys(self, files: Path) -> None:
        config = changed(files, "Config.ini", ("aws_config_file = AwsConfig.ini", "aws_config_file ="))
        assert settings(config, sandbox="true").aws.aws_config_file is None

    def test_python_3_6_is_the_base_where_none_is_named(self, files: Path) -> None:
        assert settings(files / "Config.ini").program.base_image == "python:3.6"
        config = changed(files, "Config.ini", ("init_file =", "base_image = python:3.13-slim-trixie"))
        assert settings(config).program.base_image == "python:3.13-slim-trixie"

    def test_the_nearest_name_is_told_for_unknown_ones_and_all_at_once(self, files: Path) -> None:
        config = changed(
            files,
            "Config.ini",
            ("repository =", "repositry ="),
            ("[batch]", "[bacth]"),
            ("version = v1", "version = -"),
        )
        told = problems(lambda: settings(config))
        assert "[ecr] repositry: there is no key of this name. Did you mean repository?" in told
        assert "[bacth]: there is no section of this name. Did you mean batch?" in told
        assert "[ecr] version: '-' is not valid" in told

    def test_paths_start_at_the_file_that_names_them(
        self, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)
        read = settings(Path("..") / files.name / "Config.ini")
        assert read.program.program_path == files / "program"
        assert read.batch.batch_config_file == files / "BatchConfig.yml"

    def test_requirements_named_from_the_ini_files_folder_are_found_in_the_programs(self, files: Path) -> None:
        config = changed(
            files,
            "Config.ini",
            ("requirements_file = requirements.txt", "requirements_file = program/requirements.txt"),
        )
        assert settings(config).program.requirements_file == "requirements.txt"

    def test_requirements_outside_of_the_program_hide_no_init_file(self, files: Path) -> None:
        config = changed(
            files,
            "Config.ini",
            ("requirements_file = requirements.txt", "requirements_file = elsewhere.txt"),
            ("init_file =", "init_file = program/init.sh"),
        )
        program = settings(config).program
        assert (program.requirements_file, program.init_file) == ("elsewhere.txt", "init.sh")

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("[ecr]\n[ecr]\n", "line 2, [ecr]: the section stands in the file twice"),
            ("[ecr]\nversion = 1\nversion = 2\n", "line 3, [ecr] version: the key stands in the section twice"),
            ("version = 1\n", "line 1: a value stands before the first [section]"),
            ("[ecr]\nversion\n", "line 2: neither [section] nor key = value"),
        ],
    )
    def test_what_is_no_ini_file_is_told_with_its_line(self, tmp_path: Path, text: str, place: str) -> None:
        file = tmp_path / "Config.ini"
        file.write_text(text, encoding="utf-8")
        assert place in problems(lambda: settings(file))

    def test_a_file_that_cannot_be_read(self, tmp_path: Path) -> None:
        assert "Config.ini cannot be read: No such file" in problems(lambda: settings(tmp_path / "Config.ini"))
        (tmp_path / "Config.ini").write_bytes(b"[ecr]\nversion = \xff\n")
        assert "it is not UTF-8 text" in problems(lambda: settings(tmp_path / "Config.ini"))


class TestAwsConfigIni:
    def test_the_reference_file_is_read_as_it_stands(self, files: Path) -> None:
        read = read_aws_config(files / "AwsConfig.ini")
        assert (read.region, read.account, read.access_key) == ("eu-central-1", "123456789012", "AKIDEXAMPLE")
        assert "secret" not in repr(read)

    def test_its_keys_take_the_place_of_all_other_credentials(self, files: Path) -> None:
        around = {"AWS_PROFILE": "mine", "AWS_SESSION_TOKEN": "t", "AWS_ACCESS_KEY_ID": "other", "HOME": "/h"}
        assert read_aws_config(files / "AwsConfig.ini").applied_to(around) == {
            "HOME": "/h",
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secret/with+signs%and=more",
        }

    def test_without_keys_the_credentials_are_those_of_the_environment(self, files: Path) -> None:
        lines = [line for line in AWS_CONFIG.splitlines() if "access_key" not in line]
        (files / "AwsConfig.ini").write_text("\n".join(lines), encoding="utf-8")
        assert read_aws_config(files / "AwsConfig.ini").applied_to({"AWS_PROFILE": "mine"}) == {"AWS_PROFILE": "mine"}

    @pytest.mark.parametrize(
        ("old", "new", "told"),
        [
            ("region = eu-central-1", "region = Frankfurt", "[aws] region: 'Frankfurt' is not a region like"),
            ("region = eu-central-1", "", "[aws] region: it is missing or empty"),
            ("aws_id = 123456789012", "aws_id = 1234", "[aws] aws_id: '1234' is not the account's 12 digits"),
            ("aws_access_key_id = AKIDEXAMPLE", "", "[aws] aws_access_key_id: it is missing or empty, but"),
            ("aws_access_key_id = AKIDEXAMPLE", "", " but aws_secret_access_key is there"),
            ("[aws]", "[AWS]", "[AWS]: there is no section of this name."),
            ("aws_id =", "aws_ids =", "[aws] aws_ids: there is no key of this name. Did you mean aws_id?"),
        ],
    )
    def test_every_mistake_has_its_place(self, files: Path, old: str, new: str, told: str) -> None:
        file = changed(files, "AwsConfig.ini", (old, new))
        assert told in problems(lambda: read_aws_config(file))

    def test_no_message_repeats_the_secret(self, files: Path) -> None:
        file = changed(files, "AwsConfig.ini", ("aws_access_key_id = AKIDEXAMPLE", ""), ("with+signs", "with signs"))
        told = problems(lambda: read_aws_config(file))
        assert "aws_secret_access_key: it must be one word" in told
        assert "with signs" not in told
        file.write_text("[aws]\nsecret/with+signs\n", encoding="utf-8")
        assert "with+signs" not in problems(lambda: read_aws_config(file))


class TestBatchConfigYml:
    def test_the_reference_file_is_read_as_it_stands(self, files: Path) -> None:
        read = read_batch_file(files / "BatchConfig.yml", FOR_ENVIRONMENT)
        assert read.region == "eu-central-1"
        environment, queue, definition, job = (
            read.compute_environment, read.job_queue, read.job_definition, read.job
        )  # fmt: skip
        assert environment and queue and definition and job
        assert (environment.name, environment.max_vcpus) == ("sample-environment", 128)
        assert (environment.service_role, environment.instance_role) == ("AWSBatchServiceRole", "ecsInstanceRole")
        assert (queue.name, queue.priority, queue.compute_environment) == ("sample-queue", 100, "sample-environment")
        assert definition.command == ("python", "sampleProgram.py", "Ref::infile")
        assert (definition.memory, definition.vcpus) == (512, 1)
        assert dict(definition.parameters) == {"infile": "requirements.txt"}
        assert (job.queue, job.definition, job.retry_attempts) == ("sample-queue", "sample-definition", 2)
        assert dict(job.environment) == {"GREETING": "hello"}

    def test_the_right_spelling_is_the_same(self, files: Path) -> None:
        as_it_stands = read_batch_file(files / "BatchConfig.yml", FOR_ENVIRONMENT)
        assert "enviornment" in BATCH_CONFIG
        right = BATCH_CONFIG.replace("computer_enviornment", "compute_environment").replace(
            "enviornment", "environment"
        )
        (files / "BatchConfig.yml").write_text(right, encoding="utf-8")
        assert read_batch_file(files / "BatchConfig.yml", FOR_ENVIRONMENT) == as_it_stands

    @pytest.mark.parametrize("section", ["client", "comp_env", "job_queue", "job_def", "job"])
    def test_every_section_may_be_left_out(self, tmp_path: Path, section: str) -> None:
        file = tmp_path / "BatchConfig.yml"
        alone = {
            "client": "client: {region: us-east-1}",
            "comp_env": "comp_env: {computer_enviornment_name: e, security_group_ids: [sg-1], subnets: [subnet-1]}",
            "job_queue": "job_queue: {job_queue_name: q, computer_enviornment_name: e}",
            "job_def": "job_def: {job_definition_name: d, image: i}",
            "job": "job: {job_name: j, job_queue_name: q, job_definition_name: d}",
        }
        file.write_text(alone[section] + "\n", encoding="utf-8")
        read = read_batch_file(file, FOR_ENVIRONMENT)
        there = (read.region, read.compute_environment, read.job_queue, read.job_definition, read.job)
        assert sum(bool(part) for part in there) == 1
        file.write_text(f"{section}:\n", encoding="utf-8")
        assert not read_batch_file(file, FOR_ENVIRONMENT).job

    def test_merge_keys_bring_what_is_not_there(self, tmp_path: Path) -> None:
        file = tmp_path / "BatchConfig.yml"
        file.write_text(
            "job_def: &base\n  job_definition_name: d\n  image: i\n  memory: 100\n"
            "job: {job_name: j, job_queue_name: q, job_param: {<<: &p {a: 1, b: 2}, b: 3}}\n",
            encoding="utf-8",
        )
        job = read_batch_file(file, FOR_ENVIRONMENT).job
        assert job and dict(job.parameters) == {"a": "1", "b": "3"}

    def test_merge_keys_that_name_each_other_are_no_bomb(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        looks = 0

        def key(node: yaml.Node) -> str:
            nonlocal looks
            looks += 1
            return str(node.value)

        monkeypatch.setattr(sections, "_key", key)
        levels = [f"x{n}: &x{n} {{<<: [{', '.join([f'*x{n - 1}'] * 9)}]}}" for n in range(1, 7)]
        lines = ["x0: &x0 {k: v}", *levels, "job_def:", "  <<: *x6", "  job_definition_name: a"]
        file = tmp_path / "BatchConfig.yml"
        file.write_text("\n".join(lines), encoding="utf-8")
        with pytest.raises(InputError) as caught:
            read_batch_file(file, FOR_DEFINITION)
        assert "there is no key of this name" in str(caught.value.details)
        assert looks < 1000  # each path through the levels would be 9 ** 6

    def test_a_mapping_that_merges_itself_ends(self, tmp_path: Path) -> None:
        file = tmp_path / "BatchConfig.yml"
        file.write_text("job_def: &a {job_definition_name: d, <<: [*a, *a]}\n", encoding="utf-8")
        definition = read_batch_file(file, FOR_DEFINITION).job_definition
        assert definition and definition.name == "d"

    def test_for_a_definition_the_other_sections_may_be_unfinished(self, tmp_path: Path) -> None:
        file = tmp_path / "BatchConfig.yml"
        file.write_text("comp_env: {subnets: [later]}\njob_def: {job_definition_name: d}\n")
        read = read_batch_file(file, FOR_DEFINITION)
        assert read.job_definition and read.job_definition.image == ""
        assert "comp_env" in problems(lambda: read_batch_file(file, FOR_ENVIRONMENT))

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("job_defs: {}", "line 1, job_defs: there is no section of this name. Did you mean job_def?"),
            (
                "job_def:\n  job_definition_name: d\n  image: i\n  memorry: 1",
                "line 4, job_def.memorry: there is no key of this name. Did you mean memory?",
            ),
            (
                "job_def: {job_definition_name: d, image: i, memory: lots}",
                "job_def.memory: 'lots' is not a whole number",
            ),
            ("job_def: {job_definition_name: a b, image: i}", "job_def.job_definition_name: 'a b' is not letters"),
            ("job_def: {image: i}", "job_def: job_definition_name is missing or empty"),
            ("job_def: {job_definition_name: d, image: i, command: 'a \"b'}", "job_def.command: it cannot be split"),
            (
                'job_def: {job_definition_name: d, image: i, command: "a\\nb"}',
                "job_def.command: 'a\\nb' is not a text on",
            ),
            ("job_def: [a]", "line 1, job_def: it must hold `key: value` lines"),
            ("job_def: {job_definition_name: d, image: i, vcpus: [1]}", "job_def.vcpus: it must be one plain value"),
            (
                "job_def: {job_definition_name: d, image: i, job_definition_enviornment_variables: [A=b]}",
                "job_def.job_definition_enviornment_variables: it must be a mapping",
            ),
            (
                "comp_env: {computer_enviornment_name: e, compute_environment_name: f}",
                "comp_env.compute_environment_name: the key stands in the section twice",
            ),
            ("comp_env: {computer_enviornment_name: e}", "comp_env: subnets is missing or empty"),
            ("job_queue: {job_queue_name: q}", "job_queue: compute_environment_name is missing or empty"),
            ("job: {job_name: j}\njob_queue: {}", "job: job_queue_name is missing or empty"),
            ("job: {job_name: j, retry_attempts: 11}", "job.retry_attempts: '11' is not a whole number from 1 to 10"),
            ("- a", "must hold sections"),
            ("job: {", "is not valid YAML at line 1"),
            ("job: &a [*a]", "job: it must hold"),
            ("job: *nobody", "is not valid YAML"),
        ],
    )
    def test_every_mistake_has_its_place(self, tmp_path: Path, text: str, told: str) -> None:
        file = tmp_path / "BatchConfig.yml"
        file.write_text(text, encoding="utf-8")
        said = problems(lambda: read_batch_file(file, FOR_ENVIRONMENT))
        assert told in said
        assert "BatchConfig.yml" in said
