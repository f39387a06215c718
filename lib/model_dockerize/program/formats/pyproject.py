"""Reads pyproject.toml, unlocked: PEP 621, or Poetry's tables."""

from collections.abc import Iterable
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from model_dockerize.program.formats.constraints import pep440
from model_dockerize.program.formats.folder import Folder, UnusableError, table
from model_dockerize.program.formats.requirements import is_local
from model_dockerize.program.types import MARKER, Packages

FILE = "pyproject.toml"
#: Requirements of Poetry that name no version on an index.
_ELSEWHERE = ("git", "path", "url", "file")


def read(folder: Folder) -> Packages | None:
    """Install dependencies and, with a build backend, the project itself."""
    content = folder.toml(FILE)
    if "project" not in content and "poetry" not in table(content.get("tool", {}), FILE, "tool"):
        return None
    choose(folder, FILE)
    # Only its build backend knows what it needs, so that finds it.
    dynamic = "dependencies" in table(content.get("project", {}), FILE, "project").get("dynamic", ())
    local = ("-e", ".") if dynamic or is_package(folder) else ()
    wanted = dependencies(folder)
    if not wanted and not local:
        return None
    elsewhere = _elsewhere(content, folder)
    if elsewhere:
        raise UnusableError(
            f"{FILE}: {', '.join(elsewhere)} come from places that only the project's own tool knows. Lock the project "
            "(`uv lock`, `poetry lock`, `pdm lock`): the lock is installed from."
        )
    lines = [str(want) for want in wanted]
    text = "\n".join((f"{MARKER} From {FILE}; edits are lost.", *lines, "")) if lines else ""
    git = any("git+" in line for line in lines)
    return Packages(
        source=FILE,
        text=text,
        local=local,
        need_code=dynamic or any(map(is_local, lines)),
        need_git=git,
        python=python(folder),
    )


def choose(folder: Folder, file: str, extras: Iterable[str] = ()) -> None:
    """Check the chosen extras and groups."""
    content = folder.toml(FILE)
    folder.choose(
        file, (*extras, *_extras(content), *_poetrys_extras(content)), (*_groups(content), *_poetrys(content))
    )


def is_package(folder: Folder) -> bool:
    """Tell whether the project's tool installs the project itself."""
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
    content = folder.toml(FILE)
    project = table(content.get("project", {}), FILE, "project")
    own, extras = canonicalize_name(str(project.get("name", ""))), _extras(content)
    found = list(map(_requirement, project.get("dependencies", ())))
    for group in sorted(folder.groups):
        found += map(_requirement, _of_group(group, _groups(content)))
    waiting, seen = sorted(folder.extras), set(folder.extras)
    while waiting:
        for want in map(_requirement, extras.get(waiting.pop(), ())):
            if canonicalize_name(want.name) != own:
                found.append(want)
                continue
            # An extra may be made of others: all = ["rows[cpu,plots]"].
            others = set(map(canonicalize_name, want.extras)) - seen
            waiting, seen = [*waiting, *others], seen | others
    known = {canonicalize_name(want.name) for want in found}
    for name, one in _of_poetry(content, folder):
        if canonicalize_name(name) not in known:
            found.append(poetry_requirement(name, one, FILE))
    return found


def python(folder: Folder) -> str:
    asked = table(_poetry(folder.toml(FILE)).get("dependencies", {}), FILE, "tool.poetry.dependencies")
    return pep440(str(asked.get("python", "")), FILE, "python")


def poetry_requirement(name: str, value: Any, file: str) -> Requirement:
    """Write Poetry's dependency as PEP 508, unversioned if from no index."""
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


def _requirement(text: Any) -> Requirement:
    try:
        return Requirement(str(text))
    except InvalidRequirement as error:
        raise UnusableError(f"{FILE}: {text!r} in dependencies is no requirement: {error}.") from error


def _extras(content: dict[str, Any]) -> dict[str, list[Any]]:
    project = table(content.get("project", {}), FILE, "project")
    return _by_name(project.get("optional-dependencies", {}), "project.optional-dependencies")


def _groups(content: dict[str, Any]) -> dict[str, list[Any]]:
    """Read groups of PEP 735, uv and PDM."""
    tool = table(content.get("tool", {}), FILE, "tool")
    pdm = table(tool.get("pdm", {}), FILE, "tool.pdm").get("dev-dependencies", {})
    uv = table(tool.get("uv", {}), FILE, "tool.uv").get("dev-dependencies")
    return {
        **_by_name(pdm, "tool.pdm.dev-dependencies"),
        **({} if uv is None else _by_name({"dev": uv}, "tool.uv")),
        **_by_name(content.get("dependency-groups", {}), "dependency-groups"),
    }


def _by_name(value: Any, what: str) -> dict[str, list[Any]]:
    named = table(value, FILE, what)
    if wrong := [name for name, listed in named.items() if not isinstance(listed, list)]:
        raise UnusableError(f"{FILE}: {what}.{wrong[0]} is no list.")
    return {canonicalize_name(name): listed for name, listed in named.items()}


def _of_group(name: str, groups: dict[str, list[Any]], path: tuple[str, ...] = ()) -> list[str]:
    if name in path:
        raise UnusableError(f"{FILE}: the dependency groups {' and '.join(path)} include each other.")
    found: list[str] = []
    for entry in groups.get(name, ()):
        included = entry.get("include-group") if isinstance(entry, dict) else None
        if included is None:
            found.append(str(entry))
        elif (other := canonicalize_name(str(included))) in groups:
            found += _of_group(other, groups, (*path, name))
        else:
            raise UnusableError(f"{FILE}: the dependency group {name} includes {included}, which is not there.")
    return found


def _poetrys(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    poetry = _poetry(content)
    old = {"dev": {"dependencies": poetry["dev-dependencies"]}} if "dev-dependencies" in poetry else {}
    groups = {**old, **table(poetry.get("group", {}), FILE, "tool.poetry.group")}
    return {
        canonicalize_name(name): table(
            table(group, FILE, f"tool.poetry.group.{name}").get("dependencies", {}), FILE, f"tool.poetry.group.{name}"
        )
        for name, group in groups.items()
    }


def _poetrys_extras(content: dict[str, Any]) -> dict[str, list[Any]]:
    return _by_name(_poetry(content).get("extras", {}), "tool.poetry.extras")


def _of_poetry(content: dict[str, Any], folder: Folder) -> list[tuple[str, Any]]:
    main = table(_poetry(content).get("dependencies", {}), FILE, "tool.poetry.dependencies")
    extras = _poetrys_extras(content)
    wanted = {canonicalize_name(str(name)) for extra in folder.extras for name in extras.get(extra, ())}
    groups = [asked for name, asked in _poetrys(content).items() if name in folder.groups]
    return [
        (name, one)
        for asked in (main, *groups)
        for name, value in asked.items()
        if name.lower() != "python"
        for one in (value if isinstance(value, list) else [value])
        if not (isinstance(one, dict) and one.get("optional")) or canonicalize_name(name) in wanted
    ]


def _elsewhere(content: dict[str, Any], folder: Folder) -> list[str]:
    uv = table(table(content.get("tool", {}), FILE, "tool").get("uv", {}), FILE, "tool.uv")
    asked = _of_poetry(content, folder)
    poetry = [name for name, one in asked if isinstance(one, dict) and any(key in one for key in _ELSEWHERE)]
    return sorted((*uv.get("sources", ()), *poetry))


def _poetry(content: dict[str, Any]) -> dict[str, Any]:
    return table(table(content.get("tool", {}), FILE, "tool").get("poetry", {}), FILE, "tool.poetry")


def _is_poetrys(content: dict[str, Any]) -> bool:
    return "poetry" in str(table(content["build-system"], FILE, "build-system").get("build-backend", ""))


def _holds_package(folder: Folder, content: dict[str, Any]) -> bool:
    # As Poetry does; many projects have none.
    if _poetry(content).get("packages") or _poetry(content).get("include"):
        return True
    project = table(content.get("project", {}), FILE, "project")
    name = str(project.get("name") or _poetry(content).get("name", "")).replace("-", "_").replace(".", "_").lower()
    return any(f"{top}{name}.py" in folder.paths or folder.holds_folder(f"{top}{name}") for top in ("", "src/"))
