# The server that runs inside every model image: a self-contained bundle with its own Python, under /opt/model-server.
# A model's Dockerfile takes it by COPY --from. It carries its own C library too: any Linux image will do, old or musl.
# Built on what the Action and most models are built on: one base image to fetch, the longest maintained, and a C library
# as new as theirs, which an LD_PRELOAD that reaches the server asks for.
ARG SERVER_BASE=python:3.13-slim-trixie
# What the Action runs in: trixie's own packages bring docker and buildx.
ARG ACTION_BASE=python:3.13-slim-trixie
FROM ${SERVER_BASE} AS model-server-builder
ENV DEBIAN_FRONTEND=noninteractive PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /build
# A proxy that re-signs TLS needs its certificate authority: --secret id=ca-bundle,src=FILE
# Versions of Debian's packages: those of the base image's release, with its security updates.
# hadolint ignore=DL3008
RUN --mount=type=secret,id=ca-bundle,required=false \
    --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \
    if [ -f /run/secrets/ca-bundle ]; then printf 'Acquire::https::CAInfo "/run/secrets/ca-bundle";\n' > /tmp/apt.conf; export APT_CONFIG=/tmp/apt.conf; fi \
    && rm -f /etc/apt/apt.conf.d/docker-clean \
    && apt-get update \
    && apt-get install -y --no-install-recommends binutils patchelf tini \
    && rm -f /tmp/apt.conf
COPY requirements/server-build.txt requirements.txt
RUN --mount=type=secret,id=ca-bundle,required=false \
    --mount=type=cache,target=/root/.cache/pip,sharing=locked \
    if [ -f /run/secrets/ca-bundle ]; then export PIP_CERT=/run/secrets/ca-bundle SSL_CERT_FILE=/run/secrets/ca-bundle; fi \
    && pip install --root-user-action=ignore --require-hashes -r requirements.txt
COPY lib/model_compare lib/model_compare
COPY lib/model_server lib/model_server
COPY lib/model_runner lib/model_runner
# Without docstrings (--optimize 2) the server takes 3 MiB of memory less.
# The executable is told last to use the loader and the libraries beside it (to strip it afterwards would break it).
# hadolint ignore=SC2016
RUN pyinstaller --noconfirm --log-level WARN --onedir --strip --optimize 2 --name model-server --paths lib \
        --add-data lib/model_server/api/openapi.yaml:model_server/api \
        --add-data lib/model_server/pages/templates:model_server/pages/templates \
        --add-data lib/model_server/pages/static:model_server/pages/static \
        --exclude-module tkinter --exclude-module unittest --exclude-module pydoc --exclude-module yaml._yaml --exclude-module setuptools --exclude-module curses \
        --hidden-import _cffi_backend --hidden-import array \
        lib/model_server/__main__.py \
    && mv dist/model-server /opt/model-server \
    && loader="$(patchelf --print-interpreter /opt/model-server/model-server)" \
    && libraries="$(dirname "$(realpath "$loader")")" \
    # Two calls in this order: patchelf 0.18 otherwise moves the dynamic section to a page that nothing maps.
    && patchelf --force-rpath --set-rpath '$ORIGIN/_internal' /opt/model-server/model-server \
    && patchelf --set-interpreter "/opt/model-server/_internal/$(basename "$loader")" /opt/model-server/model-server \
    && cp -L "$loader" /opt/model-server/_internal/ \
    && for name in libc.so.6 libdl.so.2 libm.so.6 libpthread.so.0 libresolv.so.2 librt.so.1 libutil.so.1; do \
        cp -L "$libraries/$name" /opt/model-server/_internal/ || exit 1; done \
    && mkdir /opt/model-server/model_runner \
    && install -m 0644 lib/model_runner/*.py /opt/model-server/model_runner/ \
    && install -m 0755 /usr/bin/tini-static /opt/model-server/tini \
    && /opt/model-server/model-server --version \
    && /opt/model-server/tini --version

# uv, which installs the packages of models, in the build that runs on any Linux: it is linked statically.
FROM ${SERVER_BASE} AS uv
WORKDIR /build
COPY requirements/uv.txt requirements.txt
RUN --mount=type=secret,id=ca-bundle,required=false \
    --mount=type=cache,target=/root/.cache/pip,sharing=locked \
    if [ -f /run/secrets/ca-bundle ]; then export PIP_CERT=/run/secrets/ca-bundle SSL_CERT_FILE=/run/secrets/ca-bundle; fi \
    && pip install --root-user-action=ignore --disable-pip-version-check --require-hashes --no-deps --only-binary=:all: \
        --platform "musllinux_1_1_$(uname -m)" --target /uv -r requirements.txt \
    && /uv/bin/uv --version

FROM scratch AS model-server
COPY --from=model-server-builder /opt/model-server /opt/model-server
# A model's build copies /opt, and only mounts what installs its packages.
COPY --from=uv /uv/bin/uv /install/uv
COPY lib/model_installer /install/model_installer
# py-rattler is large and seldom needed: a build fetches it, for packages of conda.
COPY requirements/rattler.txt /install/rattler.txt

# The Action: GitHub builds the last stage by a plain `docker build`, without arguments and secrets.
FROM ${ACTION_BASE} AS action
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
# Versions of Debian's packages: those of the base image's release, with its security updates.
# hadolint ignore=DL3008
RUN --mount=type=secret,id=ca-bundle,required=false \
    --mount=type=cache,target=/var/cache/apt,sharing=locked,id=action-apt-cache \
    --mount=type=cache,target=/var/lib/apt/lists,sharing=locked,id=action-apt-lists \
    if [ -f /run/secrets/ca-bundle ]; then printf 'Acquire::https::CAInfo "/run/secrets/ca-bundle";\n' > /tmp/apt.conf; export APT_CONFIG=/tmp/apt.conf; fi \
    && rm -f /etc/apt/apt.conf.d/docker-clean \
    && apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates docker-buildx docker-cli \
    && rm -f /tmp/apt.conf
COPY requirements/main.txt /app/requirements/main.txt
RUN --mount=type=secret,id=ca-bundle,required=false \
    if [ -f /run/secrets/ca-bundle ]; then export PIP_CERT=/run/secrets/ca-bundle SSL_CERT_FILE=/run/secrets/ca-bundle; fi \
    && python -m pip install --no-cache-dir --no-compile --root-user-action=ignore --require-hashes -r /app/requirements/main.txt \
    # Of AWS's hundreds of services only those that are called; a test holds the list against the code.
    && find "$(python -c 'import botocore; print(*botocore.__path__)')/data" -mindepth 1 -maxdepth 1 -type d \
        ! -name application-autoscaling ! -name batch ! -name cloudformation ! -name ec2 ! -name ecr ! -name ecs ! -name efs ! -name elbv2 ! -name iam ! -name lambda ! -name logs ! -name s3 ! -name service-quotas ! -name sts -exec rm -r {} + \
    # What only the command line needs: its colours, and the making of licence keys.
    && python -m pip uninstall --yes --quiet --root-user-action=ignore cryptography cffi pycparser rich pygments markdown-it-py mdurl
# Packed, it is a third; the engine unpacks it where it is used.
RUN --mount=type=bind,from=model-server,target=/server \
    tar -C /server --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -czf /opt/model-server.tar.gz opt install
# The same layout as the checkout: the version of the server is computed from its sources.
COPY requirements /app/requirements
COPY Dockerfile entrypoint.py /app/
COPY lib /app/lib
# Bytecode of what every run imports, and of nothing else: most of the libraries is never looked at.
RUN ["/usr/local/bin/python", "-I", "-c", "import sys; sys.path.insert(0, '/app/lib'); import model_dockerize.action, model_dockerize.job_environment"]
ENTRYPOINT ["/usr/local/bin/python", "-I", "/app/entrypoint.py"]
