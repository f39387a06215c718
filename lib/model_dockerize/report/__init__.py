"""The report of a run, and its display."""

from model_dockerize.report.debug import debug_logging
from model_dockerize.report.ending import Ending
from model_dockerize.report.file import reserve, write
from model_dockerize.report.model import (
    CheckReport,
    Failure,
    Finding,
    FindingStatus,
    Report,
    SmokeReport,
    StageResult,
    to_json,
)
from model_dockerize.report.recorder import Display, Level, Recorder, StageProgress

__all__ = [
    "CheckReport",
    "Display",
    "Ending",
    "Failure",
    "Finding",
    "FindingStatus",
    "Level",
    "Recorder",
    "Report",
    "SmokeReport",
    "StageProgress",
    "StageResult",
    "debug_logging",
    "reserve",
    "to_json",
    "write",
]
