# An image with a user, a home, and settings of Python and pip of its own (Jupyter, s2i).
FROM python:3.13-slim-trixie
RUN useradd --uid 1234 --create-home jovyan
ENV HOME=/home/jovyan PYTHONPATH=/home/jovyan/lib PIP_USER=1
USER 1234
WORKDIR /home/jovyan
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENTRYPOINT ["false"]
HEALTHCHECK CMD false
