"""The commands that are run with faults: what has to be there before, what is done, and how it ends."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_dockerize.aws import ecr
from model_dockerize.aws.client import Aws
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.ecr import PushedImage
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import operate, steps
from model_dockerize.pipeline.context import Named, Prepared, Run
from model_dockerize.pipeline.destroy import destroy
from model_dockerize.pipeline.everything import carry_out, plan_release
from model_dockerize.pipeline.release import Release, names_of
from model_dockerize.pipeline.stages import FOUNDATIONS, JOBS, SERVICE
from model_dockerize.pipeline.submit import submit
from model_dockerize.pipeline.work import Work
from model_dockerize.settings import Given, Settings, to_settings
from model_dockerize.smoke import Expectation

BUILD = "0123456789ab"
MANIFEST = '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": {}, "layers": []}'
SUBNET_A, SUBNET_B, GROUP, BUCKET, OTHER_BUCKET = "SUBNET_A", "SUBNET_B", "GROUP", "data", "other-data"
BATCH_ROLE = "AWSBatchServiceRole"
_PREPARED = Prepared(Named("iris", "latest"), BUILD, "linux/amd64", Expectation(""))
_JOBS = {
    "cluster": "c",
    "job-queue": "jobs",
    "compute-type": "EC2",
    "service-role": BATCH_ROLE,
    "update-function": "on-upload",
    "function-source": f"{BUCKET}/in/",
    "deploy-service": "false",
}


_LASTING = {"volume": "data", "load-balancer": "true", "zones": "2", "create-job-def": "false"}
#: A pause of ours waits in these.
_SHIFTS = {"load-balancer": "true", "zones": "2", "create-job-def": "false", "bake-minutes": "1"}
_NEXT = {**_SHIFTS, "memory": "4096", "bake-minutes": "60", "skip-bake": "true"}


@dataclass(frozen=True)
class Course:
    """One command. `before`: the courses that have to have been run for it."""

    name: str
    act: Callable[[Run, Aws], Outcome]
    inputs: Mapping[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    #: What has happened since then: the way back of a change has failed ("stuck"), the function has run ("invoked").
    since: str = ""
    first: str = "deployed"
    again: str = "unchanged"
    #: What a second run makes once more, because somebody asked for it once more.
    asked_twice: tuple[str, ...] = ()
    shifts: bool = False  # ECS moves its traffic

    def settings(self, there: Mapping[str, str]) -> Settings:
        """Load the settings as the command line would. `there`: ids of what existed before, by their words."""
        given = {"cluster": "c", "wait-timeout": "300", "smoke-test": "false", **self.inputs}
        for word, identity in there.items():
            given = {name: text.replace(word, identity) for name, text in given.items()}
        return to_settings([{name: Given(text, name, Path()) for name, text in given.items()}])


def _deploy(run: Run, account: Aws, image: str = BUILD) -> Outcome:
    released = carry_out(_standing(run, account, _pushed(run, account, image)), (SERVICE, JOBS))
    return Outcome.DEPLOYED if released.changed else Outcome.UNCHANGED


def _jobs(run: Run, account: Aws) -> Outcome:
    JOBS.run(_standing(run, account, _pushed(run, account, BUILD)))
    with run.recorder.stage("again") as stage:
        changed = any(change.action != "leave" for change in account.changes)
        stage.info("changed" if changed else "left")
    return Outcome.DEPLOYED if changed else Outcome.UNCHANGED


def _submit(run: Run, account: Aws) -> Outcome:
    inputs = ("s3://data/a.csv", "s3://data/b.csv", "s3://data/c.csv")
    return submit(run, _PREPARED, account, Work((), inputs, "s3://out/{name}"))


def _rollback(run: Run, account: Aws) -> Outcome:
    return operate.rollback(run, account, _PREPARED, "")


def _bootstrap(run: Run, account: Aws) -> Outcome:
    return steps.bootstrap(run, account)


def _plan(run: Run, account: Aws) -> Outcome:
    return plan_release(Release(run, _PREPARED, account))


def _destroy(run: Run, account: Aws) -> Outcome:
    return destroy(run, names_of(run.settings, _PREPARED.program.name), account, lambda _: True, delete_data=True)


def _standing(run: Run, account: Aws, pushed: PushedImage) -> Release:
    release = Release(run, _PREPARED, account, uri=pushed.uri)
    made = FOUNDATIONS.run(release)
    assert made.runtime
    return release.standing_on(made.runtime, made.changed)


def _pushed(run: Run, account: Aws, build: str) -> PushedImage:
    with run.recorder.stage("push") as stage:
        ecr.ensure_repository(account, "iris", stage)
        ecr.login(account)
        found = ecr.find_build(account, "iris", build)
        # What docker would push; it retries on its own.
        digest = found.digest if found else _push(account, build)
        ecr.tag_image(account, "iris", digest, ("latest", ecr.build_tag(build)))
        ecr.ensure_rules(account, "iris", run.settings.registry, stage)
        return ecr.verify(account, "iris", digest, ("latest", ecr.build_tag(build)))


def _push(account: Aws, build: str) -> str:
    manifest = MANIFEST.replace('"layers"', f'"annotations": {{"build": "{build}"}}, "layers"')
    with translate("push"):
        try:
            said = account.ecr.put_image(repositoryName="iris", imageManifest=manifest, imageTag=f"pushed-{build}")
            return str(said["image"]["imageId"]["imageDigest"])
        except account.ecr.exceptions.ImageAlreadyExistsException:
            wanted: Any = [{"imageTag": f"pushed-{build}"}]
            return account.ecr.describe_images(repositoryName="iris", imageIds=wanted)["imageDetails"][0]["imageDigest"]


_ALL = (
    Course("deploy", _deploy),
    Course("rules", _deploy, {"immutable-tags": "true", "scan": "true"}),
    Course("private network", _deploy, {"zones": "2", "assign-public-ip": "false"}),
    Course("given network", _deploy, {"subnets": f"{SUBNET_A},{SUBNET_B}", "security-groups": GROUP}),
    Course("volume and load balancer", _deploy, _LASTING),
    Course(
        "load balancer changed",
        _deploy,
        {**_LASTING, "zones": "3", "load-balancer-port": "8080", "memory": "4096"},
        before=("volume and load balancer",),
    ),
    Course("shift", _deploy, _SHIFTS, shifts=True),
    Course("shift to the next", _deploy, _NEXT, before=("shift",), shifts=True),
    Course("back from the bake", _rollback, _NEXT, before=("shift", "shift to the next"), again="failed", shifts=True),
    Course("update", _deploy, {"memory": "4096", "commit": "abc", "run-number": "7"}, before=("deploy",)),
    Course("way back", _deploy, {"zones": "2"}, before=("deploy",), since="stuck"),
    Course("bootstrap", _bootstrap, first="made"),
    Course("bootstrap again", _bootstrap, before=("bootstrap",), first="unchanged"),
    Course("rollback", _rollback, before=("deploy", "update"), again="failed"),  # nothing is older
    Course("jobs", _jobs, _JOBS),
    Course("jobs changed", _jobs, {**_JOBS, "max-vcpus": "7", "queue-priority": "3"}, before=("jobs",)),
    Course(
        "function moved",
        _jobs,
        {**_JOBS, "job-queue": "others", "function-source": f"{OTHER_BUCKET}/in/"},
        before=("jobs",),
    ),
    Course("submit", _submit, _JOBS, before=("jobs",), first="succeeded", again="succeeded", asked_twice=("job",)),
    Course("plan", _plan, {**_JOBS, "deploy-service": "true"}, first="planned", again="planned"),
    Course("plan of a change", _plan, {"zones": "2"}, before=("deploy",), first="planned", again="planned"),
    Course(
        "destroy",
        _destroy,
        {**_JOBS, "deploy-service": "true"},
        before=("deploy", "jobs"),
        since="invoked",
        first="destroyed",
    ),
    Course("destroy lasting", _destroy, _LASTING, before=("volume and load balancer",), first="destroyed"),
    Course("destroy private", _destroy, before=("private network",), first="destroyed"),
)
COURSES = {course.name: course for course in _ALL}
