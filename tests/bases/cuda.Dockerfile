# https://gitlab.com/nvidia/container-images/cuda (ubuntu2404/runtime): no Python; Debian's, as Ubuntu's from 23.04 on, is
# marked "externally managed".
FROM python:3.13-slim-trixie
RUN { apt-get purge -y --allow-remove-essential '^python3.*' '^libpython3.*' || true; } \
    && rm -rf /usr/local/bin/python* /usr/local/bin/pip* /usr/local/lib/python* /usr/local/lib/libpython* \
    && mkdir -p /opt/nvidia && printf '#!/bin/bash\nexec "$@"\n' > /opt/nvidia/nvidia_entrypoint.sh \
    && chmod 755 /opt/nvidia/nvidia_entrypoint.sh
ENV PATH=/usr/local/nvidia/bin:/usr/local/cuda/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ENV LD_LIBRARY_PATH=/usr/local/cuda/lib64 NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
ENTRYPOINT ["/opt/nvidia/nvidia_entrypoint.sh"]
