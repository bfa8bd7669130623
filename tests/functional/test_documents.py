"""docs/ and the code say the same: metrics, states and reasons of the runbook, tests that security.md names, links, commands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterable

import pytest

from rollcall_testlib import paths

DOCS = paths.TOP / "docs"
AGENT = paths.TOP / "agent"


def read(*parts: str) -> str:
    return paths.TOP.joinpath(*parts).read_text()


def column(text: str, heading: str) -> set[str]:
    """The words in backquotes of the first column of the table under a heading."""
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    firsts = [line.split("|")[1] for line in section.splitlines() if line.startswith("|")]
    return {word for first in firsts for word in re.findall(r"`([^`]+)`", first)}


def words_of(text: str, macro: str) -> set[str]:
    """The texts of an X-macro: X(NAME, "text", ...)."""
    body = re.search(rf"#define {macro}\(X\)(.*?[^\\])\n", text, re.DOTALL)
    assert body, macro
    return set(re.findall(r'X\(\w+, "([^"]+)"', body[1]))


def names_in(files: Iterable[Path], pattern: str) -> set[str]:
    return {name for file in files for name in re.findall(pattern, file.read_text())}


def metrics_of_the_code() -> set[str]:
    return names_in(AGENT.glob("control/control_metric*.c"), r'"(rollcall_[a-z_]+)"')


def test_the_runbook_tells_every_metric_and_no_other() -> None:
    assert column(read("docs", "runbook.md"), "Metrics") == metrics_of_the_code()


def test_the_runbook_tells_every_state_and_no_other() -> None:
    states = set(re.findall(r'\[PLAN_STATE_\w+\] = "(\w+)"', read("agent", "plan", "plan.c")))
    assert len(states) >= 6
    assert column(read("docs", "runbook.md"), "States of a server") == states - {"free", ""}


def test_the_runbook_tells_every_evidence_and_reason_and_no_other() -> None:
    runbook = read("docs", "runbook.md")
    assert column(runbook, "Evidence") == words_of(read("agent", "plan", "evidence.h"), "EVIDENCE_KINDS")
    assert column(runbook, "Reasons why a task gets no traffic") == words_of(
        read("agent", "plan", "reason.h"), "REASON_KINDS")


def test_the_runbook_tells_every_check_of_the_doctor_and_no_other() -> None:
    checks = set(re.findall(r'\{ "(\w+)", check_\w+ \}', read("agent", "control", "control_doctor.c")))
    assert column(read("docs", "runbook.md"), "Checks of the doctor") == checks


def test_the_runbook_tells_every_place_of_a_problem_and_no_other() -> None:
    told = {place.split()[0] for place in column(read("docs", "runbook.md"), "Where problems are")}
    files = [*AGENT.glob("app*.c"), AGENT / "control" / "control_status.c"]
    code = names_in(files, r'where"?[^;"]*?"([A-Za-z_.]+)(?:[ "])')
    # A backend's place is made before it is needed.
    assert told == code | {"backend"}


def test_alerts_of_the_runbook_use_metrics_that_are_there() -> None:
    used = set(re.findall(r"rollcall_[a-z_]+", read("docs", "runbook.md")))
    assert used <= metrics_of_the_code()


def names_of_tests() -> dict[str, set[str]]:
    """By file name without its ending."""
    found = {file.stem: set(re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE))
             for file in paths.TOP.glob("tests/functional/test_*.py")}
    for file in paths.TOP.glob("tests/unit/test_*.c"):
        found[file.stem] = set(re.findall(r"^(\w+)\(void \*\*\w*\)", file.read_text(), re.MULTILINE))
    return found


def named_tests() -> list[tuple[str, str]]:
    return re.findall(r"`(test_\w+): (\w+)`", read("docs", "security.md"))


def test_every_test_that_security_md_names_is_there() -> None:
    tests = names_of_tests()
    assert len(named_tests()) > 30
    assert [(file, name) for file, name in named_tests() if name not in tests.get(file, set())] == []


def test_every_scenario_and_fuzz_target_that_security_md_names_is_there() -> None:
    text = read("docs", "security.md")
    for name in re.findall(r"`(fuzz_\w+)`", text):
        assert (paths.TOP / "tests" / "fuzz" / f"{name}.c").is_file(), name
    for name in re.findall(r"`(\w+\.scn)`", text):
        assert (paths.TOP / "tests" / "scenario" / name).is_file(), name


@pytest.mark.parametrize("file", sorted(["README.md", "CONTRIBUTING.md", *(f"docs/{f.name}" for f in DOCS.glob("*.md"))]))
def test_links_of_a_document_lead_somewhere(file: str) -> None:
    document = paths.TOP / file
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_what_documents_say_of_rollcalls_commands_is_true() -> None:
    """`rollcall WORD`, `rollcalld --OPTION` and keys in backquotes are known to the programs."""
    text = "\n".join(file.read_text() for file in [*DOCS.glob("*.md"), paths.TOP / "README.md"])
    commands = set(re.findall(r'\{ "([a-z-]+)",', read("agent", "cli", "cli_command.c")))
    spoken = set(re.findall(r"(?:^|`| )rollcall ([a-z][a-z-]+)(?=[ `\n])", "\n".join(re.findall(r"`[^`\n]+`|^    .*$", text, re.MULTILINE))))
    assert "status" in commands and spoken <= commands, spoken - commands
    options = set(re.findall(r"rollcalld (--[a-z]+)", text))
    assert options <= set(re.findall(r"--[a-z]+", read("agent", "rollcalld.c"))) | {"--uneject"}, options


def test_news_begins_with_the_version_that_configure_ac_has() -> None:
    found = re.search(r"AC_INIT\(\[rollcall\], \[([0-9.]+)\]\)", read("configure.ac"))
    assert found and read("NEWS").startswith(f"rollcall {found[1]}")
