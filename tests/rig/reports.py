"""Reports of runs that no face of the program started."""

from collections.abc import Callable

from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import Run
from model_dockerize.report import Ending, Report


def reported(run: Run, act: Callable[[Run], Outcome]) -> Report:
    """Return the report of `act`, whatever ends it."""
    with Ending(run.recorder, run.environment) as ending:
        ending.outcome = act(run)
    return ending.report


def so_far(run: Run) -> Report:
    """Return the report of a run whose stages are called one by one."""
    return Ending(run.recorder, run.environment).report
