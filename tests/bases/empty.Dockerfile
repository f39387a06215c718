# Neither /tmp nor /etc/passwd.
FROM python:3.13-slim-trixie
RUN rm -rf /tmp /var/tmp /etc/passwd /etc/group
