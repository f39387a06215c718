"""The inputs about the run itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from model_dockerize.settings.input import Input


@dataclass(frozen=True)
class RunSettings:
    """The run itself."""

    TITLE: ClassVar = "This run"

    dry_run: Annotated[
        bool, Input("Only say what would be made, changed or left in AWS. Nothing is built, pushed or changed.")
    ] = False
    report: Annotated[Path | None, Input("File to write the run's report to, as JSON.", caller_only=True)] = None
    sandbox: Annotated[
        bool,
        Input("Use AWS on this computer instead of an account, with real containers.", common=True, caller_only=True),
    ] = False
