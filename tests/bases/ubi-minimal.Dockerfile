# Red Hat's ubi-minimal after `microdnf install python3.12`: the name python3.12 alone, an ordinary user, no find.
FROM python:3.13-slim-trixie
RUN rm -f /usr/bin/find /usr/bin/xargs /usr/local/bin/python /usr/local/bin/python3 /usr/bin/python3 /usr/local/bin/pip* \
    && ln -s /usr/local/bin/python3.13 /usr/bin/python3.12
ENV container=oci
USER 1001
CMD ["/bin/bash"]
