# https://github.com/aws/aws-lambda-base-images (Dockerfile.python3.13): Python in /var/lang, no find.
FROM python:3.13-slim-trixie
RUN rm -f /usr/bin/find /usr/local/bin/python /usr/local/bin/python3 /usr/bin/python3 \
    && mkdir -p /var/lang/bin /var/task /opt/bin && ln -s /usr/local/bin/python3.13 /var/lang/bin/python3.13 \
    && ln -s python3.13 /var/lang/bin/python3 && ln -s python3.13 /var/lang/bin/python \
    && printf '#!/bin/sh\nexec /var/runtime/bootstrap "$@"\n' > /lambda-entrypoint.sh && chmod 755 /lambda-entrypoint.sh
ENV LANG=en_US.UTF-8 TZ=:/etc/localtime
ENV PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin
ENV LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib
ENV LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime
WORKDIR /var/task
ENTRYPOINT ["/lambda-entrypoint.sh"]
