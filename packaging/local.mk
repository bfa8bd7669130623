# What an installation brings besides the programs.
dist_man_MANS += packaging/rollcall.1 packaging/rollcall.yaml.5 packaging/rollcalld.8
EXTRA_DIST += haproxy/haproxy.cfg haproxy/rollcall-spoe.cfg haproxy/rollcall.yaml haproxy/demo haproxy/demo.py packaging/install-deps packaging/build
