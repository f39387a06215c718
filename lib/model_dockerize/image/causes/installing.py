"""Causes of failed installations: output of pip, uv, git and compilers."""

from model_dockerize.image.causes.cause import Cause

_OTHER_PYTHON = (
    "Name the Python that it was made for with python-version (where nothing names one, a new one is taken), or take a "
    "version of {package} that has wheels for this one."
)
_OR_A_WHEEL = (
    ", or take a version of {package} that has a wheel for this Python, or name another Python with python-version."
)
_FROM_SOURCE = "{package} has no wheel for this Python and processor, and to build it from source"
# Possessive, and from a word's beginning on: else hours go by over a long line.
_NAME = r"(?<![\w.-])[A-Za-z0-9][\w.-]*+(?:\[[\w, -]*\])?"
_HEADER = r"fatal error: (?P<thing>[^\s:]+): No such file or directory"
_R_BUILD = r"^model-dockerize: renv: Error installing package '(?P<package>[^'\n]+)'"
_VERSIONED = rf"{_NAME}(?:[=<>!~][^\s;()`']*+)?"
_BUILDS = (
    r"(?:build backend returned an error|(?:Getting requirements|Preparing metadata|Building wheel)[^\n]* did not run)"
)
_WANTED, _WANTED2 = (f"(?P<package{branch}>{_VERSIONED})" for branch in ("", "2"))

#: The first that matches counts, so the most specific are first.
INSTALLING = (
    Cause(
        r"Cannot find command 'git'|Git executable not found",
        "{package} comes from a git repository, and git is not in the image.",
        "Add git to system-packages.",
    ),
    Cause(
        r"Host key verification failed|Permission denied \(publickey|ssh: connect to host|cannot run ssh: No such file",
        "{package} comes from a git repository by ssh, which a build cannot use: it has no key.",
        "Name the repository by https, or put the package onto an index, or as a wheel into the folder.",
    ),
    Cause(
        r"could not read Username for|fatal: Authentication failed|fatal: repository '[^'\n]+' not found",
        "The git repository of {package} is not there, or is private: the build has no login for it.",
        "Correct its address. A private one goes onto an index that pip-config names, or as a wheel into the folder.",
    ),
    Cause(
        r"conda: Cannot solve the request because of: No candidates were found for (?P<package>[^\n]+?)\.?$",
        "{package} is in none of the channels for this processor, or not in that version.",
        "Correct its name or version, add the channel that has it to channels, or list it under pip.",
    ),
    Cause(
        r"conda: Cannot solve the request because of",
        "The packages of conda want what cannot be together; the log says which.",
        "Loosen the versions that the log names, or make the environment anew and export it.",
    ),
    Cause(
        r"conda: could not find subdir \S+ in channel '(?P<thing>[^'\n]+)'",
        "The channel {thing} is not there.",
        "Correct its name or address under channels.",
    ),
    Cause(
        r"conda: (?P<package>\S+) is not locked for (?P<thing>[\w-]+)",
        "{package} has no packages for {thing}, the processor that the image is for.",
        "Add {thing} to its platforms, and run `pixi lock`.",
    ),
    Cause(
        r"conda: failed to fetch (?P<package>\S+)[\s\S]*hash mismatch",
        "{package} is not the file that the hash in the lock is of.",
        "Lock again; but first find out who replaced the file, if nobody should have.",
    ),
    Cause(
        r"conda: failed to fetch (?P<package>\S+)[\s\S]*\(404 ",
        "The address of {package} is not there (404).",
        "Lock again: the channel has it no more.",
    ),
    Cause(
        r"py-rattler, which installs packages of conda, could not be had",
        "Packages of conda need py-rattler, which the build could not fetch; the log says why.",
        "Give an index that has it (pip-config), and a base-image with Python 3.10 or newer.",
    ),
    Cause(
        r"renv: (?:failed to find source for '(?P<package>[^'\n]+)'|package '(?P<package2>[^'\n]+)' is not available)",
        "{package} is in none of the repositories that renv.lock names, or another package of the lock wants it.",
        "Add the repository that has it, or correct its version: then `renv::snapshot()` writes the lock anew.",
    ),
    Cause(
        rf"{_R_BUILD}[\s\S]{{0,8000}}?{_HEADER}",
        "To build {package} from source, the header {thing} is missing.",
        "Add {debian} to system-packages.",
    ),
    Cause(
        rf"{_R_BUILD}[\s\S]{{0,8000}}?\b(?P<thing>make|gcc|g\+\+|gfortran|cmake|cargo): not found",
        "To build {package} from source, the program {thing} is missing.",
        "Add r-base-dev to system-packages (Debian's R), or take a base-image that has compilers (rocker/r-ver).",
    ),
    Cause(
        _R_BUILD,
        "R could not build {package}; the log says why.",
        "Add what its build lacks to system-packages, or lock a version that fits the image's R.",
    ),
    Cause(
        r"renv: not installed as locked: (?P<package>[^\n]+)\.$",
        "Packages of R are not as renv.lock says: {package}.",
        "Add the repository that has them to the lock, or what their build needs to system-packages.",
    ),
    Cause(
        r"\b401 (?:Client )?Error|\b401 Unauthorized|\(401 ",
        "The package index refuses the credentials, or wants some (401).",
        "Put the index with its user and a valid token into a pip.conf, and name that with pip-config.",
    ),
    Cause(
        r"\b403 (?:Client )?Error|\b403 Forbidden|\(403 ",
        "The package index forbids it (403).",
        "Check its address in pip-config, and what the token there may read.",
    ),
    Cause(
        r"\b404 (?:Client )?Error|\b404 Not Found|\(404 ",
        "The address of {package} is not there (404).",
        "Correct the URL in the requirements, or the index in pip-config.",
    ),
    Cause(
        r"\b50[0-4] Server Error|HTTP status server error|too many 50[0-4] error responses",
        "The package index fails (its answer is 5xx).",
        "Build again later, or name a mirror with pip-config.",
    ),
    Cause(
        rf"DO NOT MATCH THE HASHES[^\n]*(?:\n\s*{_WANTED} from )?|Hash mismatch for `{_WANTED2}`",
        "{package} is not the file that the hash in the requirements or the lock is of.",
        "Lock again; but first find out who replaced the file, if nobody should have.",
    ),
    Cause(
        r"Hashes are required in --require-hashes mode|In `--require-hashes` mode",
        "Some requirements have hashes and others have none, so that none is installed.",
        "Give all of them hashes (`uv pip compile --generate-hashes`), or none.",
    ),
    Cause(
        r"codec can't decode byte|valid UTF-8|Invalid requirement: '[^'\n]*\\x00|[Rr]equirement[^\x00]{0,200}\x00",
        "The requirements file is not UTF-8 text.",
        "Save it as UTF-8.",
    ),
    Cause(
        r"Could not open requirements file[^\n]*: '|failed to read from file `[^`\n]+`: No such file",
        "The requirements file reads another file, which is not there when the packages are installed.",
        "Put the file into the program folder, or correct the line that names it.",
    ),
    Cause(
        r"No such file or directory: '/(?:croot|tmp/build|home/conda|Users|home/\w+)/[^'\n]*'|"
        r"Distribution not found at: file://",
        "A requirement is a path on the computer that the list was written on, as `pip freeze` of conda writes it.",
        "Write the list anew by `pip list --format=freeze`, which names versions.",
    ),
    Cause(
        r"is not a supported wheel on this platform|is not compatible with the current",
        "A wheel is for another Python, processor or operating system than the image.",
        "Take the wheel for Linux and the image's Python (python-version), or name package and version instead.",
    ),
    Cause(
        r"Invalid requirement: |Couldn't parse requirement|expected '-c', '-e', '-r' or the start of a requirement",
        "The requirements file holds a line that is no requirement.",
        "Correct it: name==version, an option of pip, or a comment. Lock files of other tools are read, too.",
    ),
    Cause(
        r"CERTIFICATE_VERIFY_FAILED|invalid peer certificate",
        "The build does not trust the certificate of the package index.",
        "Name the certificate of your network's proxy with ca-bundle, so that the build trusts it.",
    ),
    Cause(
        r"name resolution|dns error|failed to lookup address|Name or service not known|Network is unreachable|"
        r"Could not resolve host",
        "The build reaches no network: a host's name does not resolve.",
        "Check the engine's DNS and proxy, or name an index that it reaches with pip-config.",
    ),
    Cause(
        r"ReadTimeoutError|ConnectTimeoutError|operation timed out|Read timed out|connection timed out|timed out\.? \(",
        "The package index does not answer in time.",
        "Build again, or name a nearer index and a longer `timeout` in pip-config.",
    ),
    Cause(
        r"ProxyError|Tunnel connection failed|Connection refused|tcp connect error",
        "The package index, or the proxy before it, refuses the connection.",
        "Check the index in pip-config and the proxy in HTTPS_PROXY: loopback addresses are not reached from a build.",
    ),
    Cause(
        r"is not a trusted or secure host",
        "The package index is reached by http, which pip does not trust.",
        "Name it by https, or write `trusted-host = HOST` into the file of pip-config.",
    ),
    Cause(
        rf"`(?P<package>{_NAME})` is often confused for `(?P<thing>{_NAME})`",
        "{package} is not the name of the package: that is {thing}.",
        "Write {thing} for {package} in the requirements.",
    ),
    Cause(
        r"The 'sklearn' PyPI package is deprecated",
        "sklearn is not the name of the package: that is scikit-learn.",
        "Write scikit-learn for sklearn in the requirements.",
    ),
    Cause(
        rf"wheels for `(?P<package>{_NAME})` \(v(?P<version>[^()\s]+)\) with the following Python ABI tags?: "
        r"(?P<tags>[^\n]+)",
        "{package} {version} has no wheel for this Python, only for {tags}.",
        "Name a Python of these with python-version (`cp310` is 3.10), or take another version of {package}.",
    ),
    Cause(
        rf"{_WANTED} has no wheels with a matching (?:Python|platform)",
        "{package} has no wheel for the image's Python, processor and operating system.",
        _OTHER_PYTHON,
    ),
    Cause(
        rf"Package '(?P<package>{_NAME})' requires a different Python: \S+ not in '(?P<thing>[^'\n]+)'|"
        r"Cannot install on Python version [^;\n]+; only versions (?P<thing2>\S+) are supported|"
        # pip lists first the versions that it ignored, and says at the end which one it wanted.
        r"^ERROR: Ignored the following versions that require a different python version: "
        rf"(?=[^\n]*\n(?:[^\n]*\n){{0,3}}?ERROR: No matching distribution found for "
        rf"(?P<package2>{_NAME}==(?P<wanted>[\w.]++))$)[^\n]*?\b(?P=wanted) Requires-Python (?P<thing3>[^;\n]+)",
        "{package} is for Python {thing}, and the image has another one.",
        _OTHER_PYTHON,
    ),
    Cause(
        rf"^\s*(?:cause: )?Because {_WANTED} depends on (?P<thing>[^\s,]\S*) and [^\n]*"
        rf"(?:\n[^\n]*){{0,9}}?are unsatisfiable|"
        rf"^The conflict is caused by:\n(?:[^\n]+\n){{0,9}}?\s+(?P<package2>{_NAME} \S+) depends on (?P<thing2>[^\n]+)",
        "{package} wants {thing}, and another requirement excludes that.",
        "Loosen one of those that the log names (`>=` for `==`), or leave the version to {package}.",
    ),
    Cause(
        r"ResolutionImpossible|, which are incompatible$",
        "Two requirements want versions of one package that exclude each other.",
        "Loosen one of those that the log names (`>=` for `==`), or leave it to the other one.",
    ),
    Cause(
        rf"(?:No matching distribution found for|there is no version of) (?P<package>{_NAME}==[\d.]+)"
        r"\+(?P<thing>c(?:pu|u\d+))",
        "{package}+{thing} is not on the usual index, but on one of PyTorch's.",
        "Leave +{thing} away, or add `--extra-index-url https://download.pytorch.org/whl/{thing}` to the requirements.",
    ),
    Cause(
        r"(?:Because|satisfies the requirement) pkg[_-]resources\b",
        "pkg_resources is no package of an index: `pip freeze` of Debian and Ubuntu lists it by mistake.",
        "Remove the line pkg_resources==0.0.0 from the requirements.",
    ),
    Cause(
        rf"satisfies the requirement {_WANTED} \(from versions: none\)|{_WANTED2} was not found in the ",
        "{package} is on no index that the build reads, or has nothing for this Python and processor.",
        "Correct its name in the requirements. If it is a private one, name its index with pip-config.",
    ),
    Cause(
        rf"there is no version of {_WANTED}|No matching distribution found for {_WANTED2}",
        "{package} is not among the versions that the index has for this Python and processor.",
        "Take one that the log names. If it exists, it wants another Python: name that with python-version.",
    ),
    Cause(
        r"No module named 'distutils|Cannot import 'setuptools\.build_meta'|has no attribute 'ImpImporter'|"
        r"use_2to3 is invalid",
        "{package} is older than the image's Python: it has no wheel for it, and its source does not build there.",
        _OTHER_PYTHON,
    ),
    Cause(
        r"CUDA_HOME|cuda\.h: No such file|nvcc: (?:not found|No such file)|No such file or directory: '(?:\S*/)?nvcc'",
        "{package} is built with NVIDIA's CUDA compiler, which is not in the image.",
        "Take a version of {package} that has a wheel, or a base-image with CUDA's compiler (nvidia/cuda:...-devel).",
    ),
    Cause(
        _HEADER,
        f"{_FROM_SOURCE} the header {{thing}} is missing.",
        f"Add {{debian}} to system-packages{_OR_A_WHEEL}",
    ),
    Cause(
        r"(?P<thing>pg_config|mysql_config)(?: executable)? (?:is )?not found|(?P<thing8>pkg-config): not found|"
        r"[Cc]ommand '(?P<thing2>[^'\n]+)' failed: No such file|"
        r"No such file or directory: '(?P<thing3>[\w+-]*(?:cc|c\+\+|g\+\+|clang|gfortran|make|swig|pkg-config))'|"
        r"(?P<thing4>CMake|cmake) (?:must be installed|is not installed)|can't find (?P<thing5>Rust) compiler|"
        r"(?P<thing6>cargo|rustc|cmake|make|ninja|swig|gfortran)`?[^\n]{0,40}(?:not found|not installed|no such file)|"
        r"Unknown compiler\(s\): \[\['(?P<thing7>[\w+-]+)'|(?P<thing9>CMAKE_C(?:XX)?_COMPILER) not set",
        f"{_FROM_SOURCE} the program {{thing}} is missing.",
        f"Add {{debian}} to system-packages{_OR_A_WHEEL}",
    ),
    Cause(
        r"/ld: cannot find -l(?P<thing>[\w+-]+)",
        f"{_FROM_SOURCE} the library {{thing}} is missing.",
        f"Add lib{{thing}}-dev, or the Debian package that has it, to system-packages{_OR_A_WHEEL}",
    ),
    Cause(
        r"ModuleNotFoundError: No module named '(?P<thing>pkg_resources)'",
        "{package} is built with pkg_resources, which new versions of setuptools do not have.",
        _OTHER_PYTHON,
    ),
    Cause(
        rf"{_BUILDS}[\s\S]*ModuleNotFoundError: No module named '(?P<thing>[\w.]+)'",
        "{package} imports {thing} while it is built, and does not say that its build needs it.",
        "Take a version of {package} that has a wheel, or install it in the init-file: "
        "`pip install --no-build-isolation ...`.",
    ),
    Cause(
        r"does not appear to be a Python project|is not installable\. Neither 'setup\.py'",
        "A requirement names a folder that is no Python project: it has neither pyproject.toml nor setup.py.",
        "Correct the path in the requirements, or add the file that makes a package of the folder.",
    ),
    Cause(
        r"Multiple top-level (?:packages|modules) discovered",
        "setuptools does not know which of the folders is the project's package.",
        'Name it in pyproject.toml (`[tool.setuptools] packages = ["NAME"]`), or move it below src/.',
    ),
    Cause(
        r"No module named pip$|No module named pip \(exit",
        "The base image's Python has no pip.",
        "Add python3-pip to system-packages (Debian, Ubuntu), or choose another base-image.",
    ),
    Cause(
        rf"Failed building wheel for {_WANTED}|Failed to build `{_WANTED2}`|{_BUILDS}",
        "{package} has no wheel for this Python and processor, and its build from source failed.",
        _OTHER_PYTHON,
    ),
)
