"""Reads what each source gives; `values` does the rest."""

from collections.abc import Mapping
from pathlib import Path

from model_dockerize.settings.environment import is_file
from model_dockerize.settings.given import Given, Source
from model_dockerize.settings.model import INPUTS

# What the runner takes itself from `with:` of every container action (ContainerActionHandler.cs).
_RUNNER_INPUTS = ("INPUT_ARGS", "INPUT_ENTRYPOINT")


def from_environment(environment: Mapping[str, str]) -> dict[str, Given]:
    bundle = environment.get("SSL_CERT_FILE", "")
    workflow = environment.get("GITHUB_WORKFLOW_REF", "").split("@")[0]
    found = {
        "ca-bundle": ("SSL_CERT_FILE", bundle if is_file(bundle) else ""),
        "commit": ("GITHUB_SHA", environment.get("GITHUB_SHA", "")),
        "run-number": ("GITHUB_RUN_NUMBER", environment.get("GITHUB_RUN_NUMBER", "")),
        "workflow": ("GITHUB_WORKFLOW_REF", workflow),
    }
    return {
        name: Given(text, variable, Path.cwd(), Source.ENVIRONMENT) for name, (variable, text) in found.items() if text
    }


def from_flags(flags: Mapping[str, str | None], folder: Path | None = None) -> dict[str, Given]:
    return {
        name: Given(text, f"--{name}", Path.cwd(), folder=folder) for name, text in flags.items() if text is not None
    }


def from_inputs(environment: Mapping[str, str], workspace: Path) -> dict[str, Given]:
    """Return the Action's inputs: INPUT_<NAME>, upper-case, hyphens kept, "" where unset.

    Source: actions/runner, Handler.cs, AddInputsToEnvironment.
    """
    names = {f"INPUT_{each.name.upper()}": each.name for each in INPUTS}
    # The runner only warns of inputs that are not declared, so a misspelt one would silently mean its default.
    return {
        name: Given(text, f"input {name}", workspace, folder=workspace)
        for variable, text in environment.items()
        if variable.startswith("INPUT_") and text.strip() and variable not in _RUNNER_INPUTS
        for name in [names.get(variable, variable.removeprefix("INPUT_").lower())]
    }
