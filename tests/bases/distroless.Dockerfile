# https://github.com/GoogleContainerTools/distroless (python3): no shell, Python as python3 only, user nonroot.
FROM python:3.13-slim-trixie
RUN rm -f /usr/local/bin/python /usr/local/bin/python3 && ln -sf /usr/local/bin/python3.13 /usr/bin/python3
RUN ["/usr/bin/python3", "-c", "import os; [os.remove(f'/usr/bin/{n}') for n in ('sh', 'bash', 'dash', 'find', 'env', 'chmod') if os.path.lexists(f'/usr/bin/{n}')]"]
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532
WORKDIR /home/nonroot
ENTRYPOINT ["/usr/bin/python3"]
