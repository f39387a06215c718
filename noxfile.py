"""Run the parts of scripts/test by nox: `nox -l` lists them, `nox -s unit -- -k NAME` runs one.

There is nothing here that scripts/test does not do: it makes .venv itself, so nox makes no environment.
"""

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "unit"]


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types, import floors, generated files, words, shell, workflows and security."""
    session.run("scripts/test", "lint")


@nox.session
def unit(session: nox.Session) -> None:
    """Run the tests of the tool's functions."""
    session.run("scripts/test", "unit", *session.posargs)


@nox.session
def functional(session: nox.Session) -> None:
    """Run the tests of real processes, without Docker Engine."""
    session.run("scripts/test", "functional", *session.posargs)


@nox.session
def integration(session: nox.Session) -> None:
    """Run the tests against Docker Engine and the sandbox."""
    session.run("scripts/test", "integration", *session.posargs)


@nox.session
def action(session: nox.Session) -> None:
    """Run the tests of the Action's image by GitHub's contract."""
    session.run("scripts/test", "action", *session.posargs)


@nox.session
def browser(session: nox.Session) -> None:
    """Run the tests of the pages in Chromium."""
    session.run("scripts/test", "browser", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Measure which lines and branches the unit and functional tests reach."""
    session.run("scripts/test", "coverage", *session.posargs)


@nox.session
def mutate(session: nox.Session) -> None:
    """Run a room's mutants: `nox -s mutate -- settings --sample 50`."""
    session.run(".venv/bin/python", "scripts/mutate", *session.posargs)
