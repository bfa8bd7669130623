#!/bin/sh
# The fault suite: every scenario beside this file, on a clock of its own (README.md).
# shellcheck disable=SC2154 # both come from automake
exec "$top_builddir/tests/scenario/runner" "$top_srcdir"/tests/scenario/*.scn
