"""The rules of the house, as tests: pictures that nobody checks stop being true."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from meetbot_calendar import errors
from meetbot_calendar.errors import MeetbotError
from meetbot_calendar.journeys.services import WakeUp
from meetbot_calendar.web.problems import TABLE
from meetbot_calendar.worker.tasks import JOURNEYS

ROOT = Path(__file__).resolve().parents[2]
MODULES = [
    path
    for package in ("meetbot_calendar", "rules", "tenants")
    for path in sorted((ROOT / package).rglob("*.py"))
]
LONGEST = 320
BANNED_NAMES = {"service", "manager", "core", "common", "utils", "helpers"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_in_a_sentence_what_it_is_for(path: Path) -> None:
    text = path.read_text()
    caption = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0]

    assert caption.rstrip().endswith((".", ":"))
    assert len(text.splitlines()) <= LONGEST
    assert path.stem not in BANNED_NAMES


def test_the_import_contracts_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")

    told = subprocess.run([lint], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own tool

    assert told.returncode == 0, told.stdout


@pytest.mark.parametrize(
    "error",
    [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, MeetbotError)
    ],
)
def test_every_error_has_a_row_in_the_table_of_problems(error: type[MeetbotError]) -> None:
    nearer = [base for base in error.__mro__ if base is error or base is not MeetbotError]

    assert any(base in TABLE for base in nearer)


def test_every_wake_up_is_heard_by_the_worker() -> None:
    assert set(get_args(WakeUp)) <= {*JOURNEYS, "dispatch"}


def test_the_product_never_looks_into_the_sandbox() -> None:
    tellers = {"commands", "sandbox"}
    product = [p for p in MODULES if not tellers & set(p.relative_to(ROOT).parts)]

    assert [p for p in product if "meetbot_calendar.sandbox" in p.read_text()] == []
