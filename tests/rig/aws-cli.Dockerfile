# The AWS CLI 2, which PyPI does not have, with what push-to-ecr.sh needs besides, and two plain shells.
FROM python:3.13-slim-trixie
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends awscli docker-cli busybox \
    && rm -rf /var/lib/apt/lists/*
