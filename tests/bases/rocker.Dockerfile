# https://github.com/rocker-org/rocker-versioned2 (r-ver): R, no Python.
FROM python:3.13-slim-trixie
RUN --mount=type=secret,id=ca-bundle,required=false \
    if [ -f /run/secrets/ca-bundle ]; then printf 'Acquire::https::CAInfo "/run/secrets/ca-bundle";\n' > /tmp/apt.conf; export APT_CONFIG=/tmp/apt.conf; fi \
    && { apt-get purge -y --allow-remove-essential '^python3.*' '^libpython3.*' || true; } \
    && rm -rf /usr/local/bin/python* /usr/local/lib/python* /usr/local/lib/libpython* \
    && apt-get update && apt-get install -y --no-install-recommends r-base-core \
    && rm -rf /var/lib/apt/lists/* /tmp/apt.conf
ENV LANG=C.UTF-8
CMD ["R"]
