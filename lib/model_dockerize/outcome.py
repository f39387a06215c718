"""All outcomes of commands."""

from enum import StrEnum


class Outcome(StrEnum):
    """A command's outcome; words are never renamed. docs/exit-codes.md is made from them."""

    codes: str  # exit codes that it comes with
    meaning: str

    def __new__(cls, word: str, codes: str, meaning: str) -> "Outcome":
        member = str.__new__(cls, word)
        member._value_ = word
        member.codes, member.meaning = codes, meaning
        return member

    DEPLOYED = (
        "deployed",
        "0",
        "the service runs this build, and it answered (unless desired-count is 0, or smoke-test left it out, which the "
        "last lines say)",
    )
    UNCHANGED = (
        "unchanged",
        "0",
        "it did already: nothing was built, pushed, registered or rolled, and it answered",
    )
    STARTED = (
        "started",
        "0",
        "with `wait: false`: the service was told to run this build, and nobody has seen whether it does",
    )
    PUSHED = ("pushed", "0", "the image is in ECR; no service was asked for")
    BUILT = (
        "built",
        "0",
        "the image is in the local engine and answered (unless smoke-test left it out, which the last lines say)",
    )
    REGISTERED = (
        "registered",
        "0",
        "the Batch job definition has a new revision, and nothing was pushed (push-to-ecr is false); of "
        "`task-definition`: the task definition has one",
    )
    UPDATED = ("updated", "0", "the environment of a [BatchConfig.yml](existing-files.md) is as it says")
    SUBMITTED = ("submitted", "0", "the job of a [BatchConfig.yml](existing-files.md) was sent")
    SUCCEEDED = ("succeeded", "0", "of `submit`: every job succeeded")
    DOCKERFILE = ("dockerfile", "0", "of `dockerfile`: it is written")
    LOADED = ("loaded", "0", "the image of the archive is in the local engine")
    SERVING = ("serving", "0", "of `serve`: the model answers on this computer")
    SIGNED_IN = ("signed-in", "0", "of `login`: docker may use the account's registry")
    MADE = ("made", "0", "of `network` and `bootstrap`: something was missing and is there now")
    ANSWERS = ("answers", "0", "of `smoke` and `ask`: the model answered")
    RUNNING = ("running", "0", "of `status`: tasks of the service run")
    STOPPED = ("stopped", "0", "of `status` and `serve --stop`: nothing runs")
    LISTED = ("listed", "0", "of `list`: the models were shown")
    READ = ("read", "0", "of `logs`: the lines were shown")
    PLANNED = ("planned", "0", "of `plan`, and with `dry-run`: nothing was changed")
    PRINTED = ("printed", "0", "of `iam-policy`: the documents were shown")
    WRITTEN = ("written", "0", "of `mapping` and `smoke --keep`: the file is written")
    DESTROYED = ("destroyed", "0", "of `destroy`: what was made for the model is removed")
    READY = ("ready", "0", "of `doctor`: nothing was found that would stop a run")
    NOT_READY = ("not-ready", "2 - 9, 14, 16", "of `doctor`: the code is that of the first thing that would")
    FAILED = ("failed", "1 - 16", "see the table above")
    ROLLED_BACK = ("rolled-back", "11", "the rollout failed and the service runs the former version")
    SMOKE_FAILED_ROLLED_BACK = (
        "smoke-failed-rolled-back",
        "12",
        "the deployed model did not answer and the service runs the former version; `failed` where there is none",
    )
    TIMED_OUT = ("timed-out", "13", "nobody knows yet")
    SUPERSEDED = (
        "superseded",
        "14",
        "a newer run deployed before, or somebody else meanwhile: see [the rollout](rollout.md)",
    )
    PAUSED = ("paused", "15", "a lifecycle hook waits for a person")
    CANCELLED = ("cancelled", "130, 143", "the log says what goes on in AWS")
