"""Reads program folders; writes Dockerfiles and build contexts."""

from model_dockerize.program.by_hand import HandContext, read_context, write_folder
from model_dockerize.program.context import write_context
from model_dockerize.program.dockerfile import render_dockerfile
from model_dockerize.program.identity import build_id
from model_dockerize.program.inspection import inspect
from model_dockerize.program.lfs import is_pointer
from model_dockerize.program.lfs import sentence as pointers_sentence
from model_dockerize.program.naming import legal_name
from model_dockerize.program.sample import mime_type
from model_dockerize.program.starter import holds_a_program, start
from model_dockerize.program.types import Excluded, Program, ProgramFile, Sample
from model_dockerize.program.writing import write_dockerfile, written

__all__ = [
    "Excluded",
    "HandContext",
    "Program",
    "ProgramFile",
    "Sample",
    "build_id",
    "holds_a_program",
    "inspect",
    "is_pointer",
    "legal_name",
    "mime_type",
    "pointers_sentence",
    "read_context",
    "render_dockerfile",
    "start",
    "write_context",
    "write_dockerfile",
    "write_folder",
    "written",
]
