"""The page and the metrics, with text that wants to be more than text; the page in a browser, where chromium is installed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import urllib.request
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from conftest import Aws, temporary_directory
from rollcall_testlib.browser import CHROMIUM, Browser
from rollcall_testlib.daemon import Rollcalld
from rollcall_testlib.haproxy import HAProxy
from rollcall_testlib.waiting import wait_until

pytestmark = pytest.mark.one_haproxy

MARKUP = "<img src=x onerror=document.title='owned'>\"</td><script>document.title='owned'</script>"
BIDI = "\u202eright to left\u2066 and 'quoted' \"twice\" \\ & {}"
LONG = "l" * 3000


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.fixture
def hostile(aws: Aws, start_haproxy: Callable[..., HAProxy], service: str,
            start_rollcalld: Callable[..., Rollcalld]) -> tuple[Rollcalld, str]:
    """The service, and tasks with text that is markup, turns a reader's direction, or is long, as far as it gets in:
    what a name holds is checked where it comes from ECS, but a label's value is anybody's. With the page's address."""
    for index, text in enumerate((MARKUP, BIDI, LONG)):
        aws.control.register(family=f"labelled-{index}", process="none",
                             labels={"rollcall.backend": "grpc", "rollcall.weight": text})
        aws.control.run_tasks(cluster="main", definition=f"labelled-{index}", instantly=True)
    aws.control.register(family="f" * 200, process="none")
    aws.control.run_tasks(cluster="main", definition="f" * 200, instantly=True)
    port = free_port()

    def change(configuration: dict[str, Any]) -> None:
        configuration["control"]["listen"] = f"127.0.0.1:{port}"
        configuration["backends"].append({"name": "nowhere", "match": {"service": "family:fff*"}})

    return start_rollcalld(change, haproxy=start_haproxy()), f"http://127.0.0.1:{port}/"


def test_metrics_and_page_hold_no_more_than_they_should(hostile: tuple[Rollcalld, str]) -> None:
    """Prometheus's own parser reads the metrics; the page is one file, and says what it may load."""
    daemon, url = hostile
    parser = pytest.importorskip("prometheus_client.parser")
    wait_until(lambda: 'rollcall_excluded_endpoints{reason="bad_label"} 3' in daemon.request("GET", "/metrics")[1], 20,
               "all labels read")
    text = daemon.request("GET", "/metrics")[1]
    families = list(parser.text_string_to_metric_families(text))
    assert sum(len(family.samples) for family in families) == sum(not line.startswith("#") for line in text.splitlines())
    assert all(family.documentation.endswith(".") and family.type in ("counter", "gauge") for family in families)
    assert not [family.name for family in families
                if re.search(r"_(ms|milliseconds|minutes|hours|kb|kib|mb|percent|count)$", family.name)]
    with urllib.request.urlopen(url, timeout=20) as answer:
        page, policy = answer.read().decode(), answer.headers["Content-Security-Policy"]
    assert page.startswith("<!DOCTYPE html>") and "default-src 'none'" in policy
    assert not re.findall(r"(?:src|href)=|url\(|@import", page)


@pytest.fixture
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: packaging/install-deps browser")
    with temporary_directory() as home, contextlib.closing(Browser(home)) as running:
        yield running


def test_a_browser_shows_what_the_api_tells(aws: Aws, hostile: tuple[Rollcalld, str], browser: Browser) -> None:
    """And follows it; no text from outside is more than text, nothing is loaded from elsewhere, and the console is silent."""
    daemon, url = hostile
    one, two = aws.control.running(cluster="main", service="rng-service")

    def wait_shown(*texts: str) -> str:
        def look() -> str | None:
            shown = browser.evaluate("document.body.innerText")
            return shown if all(text in shown for text in texts) else None
        return wait_until(look, 30, f"a page with {texts}")

    browser.go(url)
    shown = wait_shown(one["id"][:8], f"{two['address']}:50051", "takes calls; task ", "`<img src=x onerror=document.title=",
                       "HAProxy has no backend `nowhere`: add it to haproxy.cfg")
    assert "\u202e" not in shown
    wait_until(lambda: browser.evaluate("document.querySelectorAll('#backends td.good').length") == 2, 30, "both ready")
    wait_until(lambda: re.fullmatch(r"\d+\.\d", browser.evaluate(
        "document.querySelector('#backends td:nth-child(5)').innerText")), 30, "calls a second")
    daemon.rollcall("drain", f"grpc/{daemon.server_of('grpc', one)['name']}")  # type: ignore[index]
    wait_shown("drained by `rollcall drain`")
    aws.control.scale(cluster="main", service="rng-service", desired=3)
    wait_until(lambda: browser.evaluate("document.querySelectorAll('#backends tr').length") >= 4, 30, "a third server")
    # Each field of each answer, as if nobody had checked it on the way.
    browser.evaluate("""{
      window.injected = [%s, %s, %s];
      const poison = (value, text) => Array.isArray(value) ? value.map((v) => poison(v, text))
        : value !== null && typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, poison(v, text)]))
        : typeof value === 'string' ? text + value : value;
      const really = window.fetch;
      window.fetch = async (path, how) => {
        const answer = await (await really(path, how)).json();
        return { ok: true, json: async () => Array.isArray(answer)
          ? answer.concat(window.injected.flatMap((text) => poison(answer, text))) : poison(answer, window.injected[0]) };
      };
      refresh();
    }""" % tuple(map(json.dumps, (MARKUP, BIDI, LONG))))
    wait_shown("lllllllllllllllllllllllllllllllllllllll", "</td><script>")
    assert browser.evaluate("document.title") == "rollcall"
    assert browser.evaluate("document.querySelectorAll('img, body script:not(:last-of-type), main script').length") == 0
    assert "\u202e" not in browser.evaluate("document.body.innerText")
    for name, width, scheme in (("light", 1280, "light"), ("dark", 1280, "dark"), ("narrow", 390, "light")):
        browser.look(width, 900, scheme)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width, name
        if output := os.environ.get("ROLLCALL_SCREENSHOTS"):
            browser.screenshot(Path(output) / f"hostile-{name}.png")
    assert browser.complaints == []
    if output:
        browser.go(url)
        wait_shown(one["id"][:8])
        for name, width, scheme in (("light", 1280, "light"), ("dark", 1280, "dark"), ("narrow", 390, "light")):
            browser.look(width, 900, scheme)
            browser.screenshot(Path(output) / f"page-{name}.png")
