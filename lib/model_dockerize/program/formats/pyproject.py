"""Reads pyproject.toml: PEP 621, or the tables of Poetry. What it asks for is not locked."""

from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from model_dockerize.program.formats.constraints import pep440
from model_dockerize.program.formats.folder import Folder, UnusableError, table
from model_dockerize.program.formats.requirements import is_local
from model_dockerize.program.types import MARKER, Packages

FILE = "pyproject.toml"
#: Requirements of Poetry that name no version on an index.
_ELSEWHERE = ("git", "path", "url", "file")


def read(folder: Folder) -> Packages | None:
    """Install what the project asks for, and the project itself if a build backend makes a package of it."""
    content = folder.toml(FILE)
    if "project" not in content and "poetry" not in table(content.get("tool", {}), FILE, "tool"):
        return None
    local = ("-e", ".") if is_package(folder) else ()
    if "dependencies" in table(content.get("project", {}), FILE, "project").get("dynamic", ()):
        return Packages(source=FILE, need_code=True, local=("-e", "."))
    wanted = dependencies(folder)
    if not wanted and not local:
        return None
    elsewhere = _elsewhere(content)
    if elsewhere:
        raise UnusableError(
            f"{FILE}: {', '.join(elsewhere)} come from places that only the project's own tool knows. Lock the project "
            "(`uv lock`, `poetry lock`, `pdm lock`): the lock is installed from."
        )
    lines = [str(want) for want in wanted]
    text = "\n".join((f"{MARKER} From {FILE}; edits are lost.", *lines, "")) if lines else ""
    git = any("git+" in line for line in lines)
    return Packages(
        source=FILE, text=text, local=local, need_code=any(map(is_local, lines)), need_git=git, python=python(folder)
    )


def is_package(folder: Folder) -> bool:
    """Tell whether the project's own tool installs the project itself."""
    content = folder.toml(FILE)
    tool = table(content.get("tool", {}), FILE, "tool")
    uv, poetry = table(tool.get("uv", {}), FILE, "tool.uv"), _poetry(content)
    pdm = table(tool.get("pdm", {}), FILE, "tool.pdm")
    if "build-system" not in content:
        return uv.get("package") is True or pdm.get("distribution") is True
    if uv.get("package") is False or pdm.get("distribution") is False or poetry.get("package-mode") is False:
        return False
    return not _is_poetrys(content) or _holds_package(folder, content)


def dependencies(folder: Folder) -> list[Requirement]:
    """List what the project asks for, without its extras and groups."""
    content = folder.toml(FILE)
    project = table(content.get("project", {}), FILE, "project")
    found = []
    for text in project.get("dependencies", ()):
        try:
            found.append(Requirement(str(text)))
        except InvalidRequirement as error:
            raise UnusableError(f"{FILE}: {text!r} in dependencies is no requirement: {error}.") from error
    asked = table(_poetry(content).get("dependencies", {}), FILE, "tool.poetry.dependencies")
    known = {want.name.lower() for want in found}
    for name, value in asked.items():
        if name.lower() == "python" or name.lower() in known:
            continue
        for one in value if isinstance(value, list) else [value]:
            if not (isinstance(one, dict) and one.get("optional")):
                found.append(poetry_requirement(name, one, FILE))
    return found


def python(folder: Folder) -> str:
    """Name the versions of Python that Poetry's table asks for; requires-python is read for every project."""
    asked = table(_poetry(folder.toml(FILE)).get("dependencies", {}), FILE, "tool.poetry.dependencies")
    return pep440(str(asked.get("python", "")), FILE, "python")


def poetry_requirement(name: str, value: Any, file: str) -> Requirement:
    """Write a dependency of Poetry as PEP 508 does; without a version if it comes from elsewhere."""
    given = value if isinstance(value, dict) else {"version": value}
    extras = ",".join(map(str, given.get("extras", ())))
    markers = [f"({marker})" for marker in (given.get("markers", ""), _python_marker(given, file, name)) if marker]
    text = f"{name}[{extras}]" if extras else name
    if "version" in given:
        text += pep440(str(given["version"]), file, name)
    text += f" ; {' and '.join(markers)}" if markers else ""
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise UnusableError(f"{file}: {text!r} is no requirement: {error}.") from error


def _python_marker(given: dict[str, Any], file: str, name: str) -> str:
    asked = pep440(str(given.get("python", "")), file, f"the Python of {name}")
    clauses = []
    for clause in filter(None, asked.split(",")):
        version = clause.lstrip("<>=!~")
        clauses.append(f'python_full_version {clause.removesuffix(version)} "{version}"')
    return " and ".join(clauses)


def _elsewhere(content: dict[str, Any]) -> list[str]:
    uv = table(table(content.get("tool", {}), FILE, "tool").get("uv", {}), FILE, "tool.uv")
    asked = table(_poetry(content).get("dependencies", {}), FILE, "tool.poetry.dependencies")
    poetry = [name for name, one in asked.items() if isinstance(one, dict) and any(key in one for key in _ELSEWHERE)]
    return sorted((*uv.get("sources", ()), *poetry))


def _poetry(content: dict[str, Any]) -> dict[str, Any]:
    return table(table(content.get("tool", {}), FILE, "tool").get("poetry", {}), FILE, "tool.poetry")


def _is_poetrys(content: dict[str, Any]) -> bool:
    return "poetry" in str(table(content["build-system"], FILE, "build-system").get("build-backend", ""))


def _holds_package(folder: Folder, content: dict[str, Any]) -> bool:
    """Look for the package where Poetry does; many projects have none and are run from their folder."""
    if _poetry(content).get("packages") or _poetry(content).get("include"):
        return True
    project = table(content.get("project", {}), FILE, "project")
    name = str(project.get("name") or _poetry(content).get("name", "")).replace("-", "_").replace(".", "_").lower()
    return any(f"{top}{name}.py" in folder.paths or folder.holds_folder(f"{top}{name}") for top in ("", "src/"))
