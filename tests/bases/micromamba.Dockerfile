# https://github.com/mamba-org/micromamba-docker (debian.Dockerfile): the entrypoint puts /opt/conda/bin on PATH, SHELL does
# not, unless MAMBA_DOCKERFILE_ACTIVATE is 1.
FROM python:3.13-slim-trixie
RUN mkdir -p /opt/conda/bin && rm -f /usr/local/bin/python /usr/local/bin/python3 /usr/bin/python3 \
    && ln -s /usr/local/bin/python3.13 /opt/conda/bin/python && useradd --uid 57439 --create-home mambauser \
    && printf '#!/bin/bash\nPATH=/opt/conda/bin:$PATH exec "$@"\n' > /usr/local/bin/_entrypoint.sh \
    && printf '#!/bin/bash\nexec bash -o pipefail -c "$@"\n' > /usr/local/bin/_dockerfile_shell.sh \
    && chmod 755 /usr/local/bin/_*.sh
ENV ENV_NAME=base MAMBA_ROOT_PREFIX=/opt/conda MAMBA_USER=mambauser
USER mambauser
WORKDIR /tmp
ENTRYPOINT ["/usr/local/bin/_entrypoint.sh"]
SHELL ["/usr/local/bin/_dockerfile_shell.sh"]
