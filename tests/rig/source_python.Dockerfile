# CPython 3.11 on trixie, built from its sources as docker-library/python does for python:3.11-slim-trixie: what our
# stand-ins, made of Debian's build, cannot prove. Without optimizations (no PGO, LTO, -O0), which cost half an hour, and
# without Berkeley DB, bluetooth and Tk.
ARG BASE=python:3.13-slim-trixie
FROM ${BASE} AS debian
RUN rm -r /usr/local/bin/* /usr/local/include/* /usr/local/lib/* && ldconfig
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8

FROM debian AS build
# hadolint ignore=DL3008
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked,id=model-dockerize-trixie-apt \
    rm -f /etc/apt/apt.conf.d/docker-clean \
    && sed 's/^Types: deb$/Types: deb-src/; s/trixie/bookworm/' /etc/apt/sources.list.d/debian.sources > /etc/apt/sources.list.d/bookworm.sources \
    && apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends dpkg-dev gcc libbz2-dev libc6-dev libffi-dev libgdbm-dev \
        liblzma-dev libncursesw5-dev libreadline-dev libsqlite3-dev libssl-dev make uuid-dev zlib1g-dev > /dev/null
WORKDIR /usr/src/python
RUN apt-get source --download-only --tar-only python3.11 \
    && tar -xf python3.11_*.orig.tar.* --strip-components=1 \
    && nice ./configure --build="$(dpkg-architecture --query DEB_BUILD_GNU_TYPE)" --enable-loadable-sqlite-extensions \
        --enable-option-checking=fatal --enable-shared --with-ensurepip OPT=-O0 > /dev/null
RUN nice make -s -j2 LDFLAGS=-Wl,--strip-all > /dev/null 2>&1
# Bytecode would be removed again, so the compiler is only asked for its help.
RUN rm python \
    && make -s LDFLAGS="-Wl,--strip-all -Wl,-rpath='\$\$ORIGIN/../lib'" python > /dev/null \
    && make -s install COMPILEALL_OPTS=--help > /dev/null 2>&1 \
    && find /usr/local -depth \( \( -type d -a \( -name test -o -name tests -o -name idle_test \) \) \
        -o \( -type f -a \( -name '*.pyc' -o -name 'libpython*.a' \) \) \) -exec rm -rf '{}' + \
    && ln -sT python3-config /usr/local/bin/python-config \
    && for name in idle pip pydoc python; do ln -sT "${name}3" "/usr/local/bin/$name" || exit 1; done

FROM debian
COPY --from=build /usr/local/ /usr/local/
RUN ldconfig && python --version && pip --version
CMD ["python3"]
