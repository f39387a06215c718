# Sourced by demo and test (POSIX sh, from the checkout's top): makes what they need, and nothing that is there already.
# shellcheck shell=sh

say() { printf '%s\n' "$*" >&2; }

stop() {
    say "$*"
    exit 4
}

# The newest Python from 3.11 on that can make an environment, or what PYTHON names. Prints its path, or nothing.
find_python() {
    # shellcheck disable=SC2086 # names without blanks
    for candidate in ${PYTHON:-python3.14 python3.13 python3.12 python3.11 python3 python}; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            command -v "$candidate"
            return
        fi
    done
}

# setup_python SET: .venv with requirements/SET.txt and the command model-dockerize.
setup_python() {
    wanted=$(cksum <"requirements/$1.txt" | tr ' ' '-')
    if [ -e ".venv/.ready-$1-$wanted" ] && .venv/bin/python -c '' 2>/dev/null; then return; fi
    python=$(find_python)
    if [ -z "$python" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "setup: installing Python with apt-get"
        { apt-get -qq update && apt-get -qq install -y --no-install-recommends python3 python3-venv; } >/dev/null 2>&1 || true
        python=$(find_python)
    fi
    [ -n "$python" ] || stop "Python 3.11 or newer (with its venv module) is needed: install it, then run this again."
    say "setup: Python environment in .venv ($("$python" --version 2>&1), requirements/$1.txt)"
    .venv/bin/python -c '' 2>/dev/null || "$python" -m venv --clear .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "requirements/$1.txt" ||
        stop "The Python packages could not be installed; pip says above why. Run this again when that is mended."
    # A path file instead of an installed copy: what runs is what stands in the checkout.
    .venv/bin/python -c 'import pathlib, sysconfig
pathlib.Path(sysconfig.get_path("purelib"), "model-dockerize.pth").write_text(str(pathlib.Path("lib").resolve()) + "\n")'
    printf '#!%s\nfrom model_dockerize.cli import main\n\nmain()\n' "$PWD/.venv/bin/python" >.venv/bin/model-dockerize
    chmod +x .venv/bin/model-dockerize
    : >".venv/.ready-$1-$wanted"
}

# setup_docker IMAGE ...: an engine with BuildKit that answers, and these base images in it.
setup_docker() {
    .venv/bin/python scripts/machine/engine.py ensure
    .venv/bin/python scripts/machine/base_image.py ensure "$@"
}
