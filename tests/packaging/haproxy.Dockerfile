# HAProxy's official image as far as rollcall meets it (user 99:99, no /run/haproxy, its
# directories and entrypoint, the signal that stops it), with the HAProxy of Debian 13.
FROM debian:13-slim
RUN apt-get install -y -qq --no-install-recommends haproxy && \
    usermod --uid 99 haproxy && groupmod --gid 99 haproxy && chown -R haproxy:haproxy /var/lib/haproxy && \
    rm -rf /run/haproxy /etc/haproxy && mkdir -p /usr/local/etc/haproxy
COPY tests/packaging/haproxy-entrypoint /usr/local/bin/docker-entrypoint.sh
WORKDIR /var/lib/haproxy
USER 99:99
STOPSIGNAL SIGUSR1
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["haproxy", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
