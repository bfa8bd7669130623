# HAProxy's official image with rollcall's haproxy.cfg in it, for ECS, where no file can
# be mounted from beside the compose file:
#   docker build -f packaging/container/haproxy.Dockerfile -t haproxy-rollcall .
# Put your own haproxy.cfg in its place where you have one.
FROM haproxy:3.2
COPY haproxy/haproxy.cfg haproxy/rollcall-spoe.cfg /usr/local/etc/haproxy/
ENV ROLLCALL_CONTAINER=1
