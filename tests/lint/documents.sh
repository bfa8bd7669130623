#!/bin/sh
# docs/ and the code say the same: tests/functional/test_documents.py, here, too, as it needs
# no more than a second, and whoever renames a metric or a test should hear of it soon.
set -u
: "${top_srcdir:?}"
python=/usr/bin/python3
if ! { "$python" -m pytest --version && "$python" -c 'import botocore, grpc, yaml' && /usr/sbin/haproxy -v; } >/dev/null 2>&1; then
	echo "1..0 # SKIP there is no pytest, or not what it needs"
	exit 0
fi
echo 1..1
if said=$(cd "$top_srcdir" && "$python" -B -m pytest -q -p no:cacheprovider tests/functional/test_documents.py 2>&1); then
	echo "ok 1 - docs say what is"
else
	echo "not ok 1 - docs say what is"
	echo "$said" | sed 's/^/# /'
fi
