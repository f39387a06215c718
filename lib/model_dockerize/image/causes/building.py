"""Causes of failed programs and other failed builds."""

from model_dockerize.image.causes.cause import Cause

_NO_PACKAGE = (
    "The base image's Debian release has no package of that name.",
    "Take its new name (libgl1 for libgl1-mesa-glx), or a release that has it, such as "
    "`base-image: python:3.11-slim-bookworm`.",
)
BUILDING = (
    Cause(
        'exec: "/bin/sh"',
        "The base image has no shell, which requirements, system-packages and init-file need.",
        "Choose a base-image that has one, or build one of your own with all of that in it.",
    ),
    Cause(
        r"apt-get: [^\n]*not found",
        "The base image has no apt-get: system-packages are Debian's and Ubuntu's.",
        "Choose such a base-image, or let init-file call this one's own package manager.",
    ),
    Cause(
        r"the image has no [^\n]+, which the model's command calls",  # model-server prepare
        "",
        "Choose a base-image that has it, or add it by system-packages (Debian, Ubuntu; for Python: "
        "[python3, python3-pip]) or init-file, or correct the command: it names one that only the base image's SHELL "
        "or entrypoint activates by its path.",
    ),
    Cause(
        "exit code:? 127",
        "",
        "The step calls a program that is not in the image: choose a base-image that has it, or add it by "
        "system-packages (Debian, Ubuntu; for Python: [python3, python3-pip]).",
    ),
    Cause("has no installation candidate", *_NO_PACKAGE),
    Cause("Unable to locate package", *_NO_PACKAGE),
    Cause(
        "does not have a Release file",
        "The base image's Debian release has left the mirrors, so apt-get installs nothing.",
        "Name a newer one, such as `base-image: python:3.11-slim-bookworm`.",
    ),
    Cause(
        "no match for platform",
        "The base image is not made for this platform.",
        "Choose another base-image, or platforms.",
    ),
    Cause(
        r"toomanyrequests|load metadata[\s\S]*429 Too Many Requests",
        "The registry limits how many images are pulled without a login.",
        "Log in: {login}.",
    ),
    Cause(
        r"\[internal\] load metadata",
        "",
        "Check the base image's name, and that the engine reaches its registry. Where that wants a login: {login}.",
    ),
)
#: Of a step of a build, and of a program.
EITHER = (
    Cause(
        "no space left on device",
        "The disk is full.",
        "Free some: `docker system df` shows what takes it, `docker builder prune` frees.",
    ),
    Cause(
        "cannot enable executable stack",
        "The base image's C library (glibc 2.41 or newer) refuses an old build of a library.",
        "Take a newer version of the library, or an older Debian release, such as "
        "`base-image: python:3.11-slim-bookworm`.",
    ),
    Cause(
        r"(?P<thing>lib(?:cuda|cudart|cudnn|cublas|cufft|curand|cusparse|cusolver|nvrtc|nvidia-ml|nccl)[\w.+-]*\.so[\w.]*):"
        r" cannot open shared object|CUDA driver version is insufficient|Found no NVIDIA driver|"
        r"cudaErrorInsufficientDriver|cudaErrorNoDevice|no CUDA-capable device|CUDA unknown error",
        "A library of the program needs NVIDIA's driver or CUDA, which are not there.",
        "Take the library's build for the CPU (onnxruntime for onnxruntime-gpu), or run it on a GPU: a base-image with "
        "CUDA, gpus, and `smoke-test: service`, as the image cannot be tried here.",
    ),
    Cause(
        r"(?P<thing>lib[\w.+-]+\.so[\w.]*): cannot open shared object file",
        "A library of the program needs {thing}, which is not in the image.",
        "Add {debian} to system-packages. (For OpenCV, opencv-python-headless needs none.)",
    ),
    Cause(
        r"compiled using NumPy 1\.x cannot be run in|numpy\.dtype size changed",
        "A library was built for another major version of NumPy than is installed.",
        "Write `numpy<2` into the requirements, or take a newer version of that library.",
    ),
    Cause("exit code:? 139", "A program crashed (segmentation fault).", "Look for its name in the last lines."),
    Cause("exit code:? 137", "It was killed, most likely for want of memory.", "Give the engine more."),
    Cause(
        "exec format error",
        "The base image is for another processor.",
        "Choose another base-image, or platforms.",
    ),
)
RUNNING = (
    Cause(
        "CERTIFICATE_VERIFY_FAILED",
        "The program trusts the certificates in its image only; ca-bundle is for the build.",
        "Let init-file add your network's, or have the program fetch in the build what it needs.",
    ),
    Cause(
        r"version https://git-lfs\.github\.com|invalid load key, 'v'",
        "A file that the program reads is a Git LFS pointer, not the file itself.",
        "Fetch it before the build: `lfs: true` in actions/checkout, or `git lfs pull`.",
    ),
    Cause(
        r"ModuleNotFoundError: No module named '(?P<thing>[\w.]+)'",
        "The program imports {thing}, which is not in the image.",
        "Add the package that holds it to the requirements (names may differ: yaml is of PyYAML, cv2 of opencv-python, "
        "sklearn of scikit-learn); a module of your own must lie in the folder.",
    ),
    Cause(
        r'File "[^"\n]*\bos(?:\.py|>)", line \d+, in __getitem__\n[^:]*KeyError: \'(?P<thing>\w+)\'',
        "The program reads the variable {thing}, which is not set.",
        "Give it a value with environment ({thing}=VALUE), or with secrets ({thing}=ARN).",
    ),
    Cause(
        r"(?:PermissionError: \[Errno 13\]|Read-only file system)[^\n]*: '(?P<thing>[^'\n]+)'",
        "The program may not write {thing}: its folder is not its own.",
        "Write below /tmp, or make a folder for it in init-file: `mkdir -m 777 NAME`.",
    ),
    Cause(
        "attempt to write a readonly database|unable to open database file",
        "The program may not write its database: the folder of that is not its own.",
        "Copy it below /tmp and open it there, or make a folder for it in init-file: `mkdir -m 777 NAME`.",
    ),
    Cause(
        r"FileNotFoundError: \[Errno 2\] No such file or directory: '(?P<thing>[\w.+-]+)'|"
        r"(?:sh|bash): (?:line )?\d+: (?P<thing2>[\w.+-]+): (?:command )?not found",
        "",
        "If {thing} is a program, add its Debian package to system-packages; if a file, put it into the folder.",
    ),
)
