# Amazon Linux 2023: Python is /usr/bin/python3 only, without pip; no find.
FROM python:3.13-slim-trixie
RUN rm -f /usr/bin/find /usr/bin/xargs /usr/local/bin/python /usr/local/bin/python3 /usr/local/bin/pip* \
    && rm -r /usr/local/lib/python3.13/*-packages/pip* \
    && ln -sf /usr/local/bin/python3.13 /usr/bin/python3.9 && ln -sf python3.9 /usr/bin/python3
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
CMD ["/bin/bash"]
