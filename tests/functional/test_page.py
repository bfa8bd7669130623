"""The page, in a browser without a screen: it shows what the API tells, and follows it. Needs Debian's chromium."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import urllib.request
from pathlib import Path
from typing import Callable

import pytest

from conftest import Aws
from rollcall_testlib.daemon import Rollcalld
from rollcall_testlib.haproxy import HAProxy
from rollcall_testlib.waiting import wait_until

pytestmark = pytest.mark.one_haproxy

SERVICE = {"cluster": "main", "service": "rng-service"}
CHROMIUM = shutil.which("chromium")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def browse(url: str, home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """What the page is once its script has run for a while, and what the console said."""
    assert CHROMIUM
    return subprocess.run([CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
                           f"--user-data-dir={home}", "--timeout=4000", *options, url], capture_output=True, text=True,
                          timeout=100, check=True, env={**os.environ, "HOME": str(home)})


def test_the_page_is_one_file_and_says_what_it_may_load(service: str, haproxy: HAProxy,
                                                        start_rollcalld: Callable[..., Rollcalld]) -> None:
    port = free_port()
    start_rollcalld(lambda c: c["control"].update(listen=f"127.0.0.1:{port}"))
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        text, policy = answer.read().decode(), answer.headers["Content-Security-Policy"]
    assert text.startswith("<!DOCTYPE html>") and "default-src 'none'" in policy
    assert not re.findall(r"(?:src|href)=", text)


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_shows_what_the_api_tells(aws: Aws, service: str, haproxy: HAProxy, directory: Path,
                                            start_rollcalld: Callable[..., Rollcalld]) -> None:
    port = free_port()
    daemon = start_rollcalld(lambda c: c["control"].update(listen=f"127.0.0.1:{port}"))
    one, two = aws.control.running(**SERVICE)

    def browse_until(*texts: str) -> subprocess.CompletedProcess[str]:
        """The browser prints the page when it likes: the script may not have come far."""
        def look() -> subprocess.CompletedProcess[str] | None:
            shown = browse(f"http://127.0.0.1:{port}/", directory / "browser", "--dump-dom")
            return shown if all(text in shown.stdout for text in texts) else None
        return wait_until(look, 30, f"a page with {texts}")

    shown = browse_until("<span>takes calls; task ", '<td class="good">ready</td>')
    assert f">{one['id'][:8]}<" in shown.stdout and f"{two['address']}:50051" in shown.stdout
    assert shown.stdout.count('<td class="good">ready</td>') == 2
    assert re.search(r'id="link"[^>]*></span>', shown.stdout) and "Refused to" not in shown.stderr
    assert "Uncaught" not in shown.stderr and "CONSOLE" not in shown.stderr
    daemon.rollcall("drain", f"grpc/{daemon.servers('grpc')[0]['name']}")
    browse_until('<td class="bad">held</td>')
    browse(f"http://127.0.0.1:{port}/", directory / "browser", f"--screenshot={directory / 'page.png'}",
           "--window-size=1200,900")
    assert (directory / "page.png").read_bytes().startswith(b"\x89PNG")
    if output := os.environ.get("ROLLCALL_SCREENSHOTS"):
        shutil.copy(directory / "page.png", output)
