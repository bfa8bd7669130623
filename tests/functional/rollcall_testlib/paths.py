"""Where the programs under test are; environment variables point elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
HAPROXY = os.environ.get("HAPROXY", "/usr/sbin/haproxy")
ROLLCALLD = os.environ.get("ROLLCALLD", str(TOP / "rollcalld"))
ROLLCALL = os.environ.get("ROLLCALL", str(TOP / "rollcall"))
