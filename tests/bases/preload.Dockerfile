# An allocator for the program, linked against a newer C library than the server's.
FROM python:3.13-slim-trixie
RUN --mount=type=secret,id=ca-bundle,required=false \
    if [ -f /run/secrets/ca-bundle ]; then printf 'Acquire::https::CAInfo "/run/secrets/ca-bundle";\n' > /tmp/apt.conf; export APT_CONFIG=/tmp/apt.conf; fi \
    && apt-get update && apt-get install -y --no-install-recommends libtcmalloc-minimal4 \
    && rm -rf /var/lib/apt/lists/* /tmp/apt.conf
ENV LD_PRELOAD=libtcmalloc_minimal.so.4 LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu:/usr/lib/aarch64-linux-gnu
