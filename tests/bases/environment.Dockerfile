# An environment that SHELL and entrypoint activate, beside another Python on PATH (`SHELL ["conda", "run", "-n", ...]`).
FROM python:3.13-slim-trixie
RUN python3.13 -m venv --without-pip --system-site-packages /srv/environment \
    && printf '#!/bin/bash\nPATH=/srv/environment/bin:$PATH exec bash -c "$@"\n' > /usr/local/bin/in-environment \
    && chmod 755 /usr/local/bin/in-environment
ENTRYPOINT ["/usr/local/bin/in-environment"]
SHELL ["/usr/local/bin/in-environment"]
