import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)( ; [^\\]+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def pins(file: str) -> dict[str, str]:
    lines = (ROOT / file).read_text().splitlines()
    return {match[1]: match[2] for line in lines if (match := PIN.match(line))}


def asked_for() -> dict[str, list[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    product = [*project["project"]["dependencies"], *project["dependency-groups"]["build"]]
    developers = [one for one in project["dependency-groups"]["dev"] if isinstance(one, str)]
    return {"requirements.txt": product, "requirements-dev.txt": [*product, *developers]}


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_line_is_a_pin_or_a_hash_and_none_an_address(file: str) -> None:
    lines = (ROOT / file).read_text().splitlines()

    assert [line for line in lines if not PIN.match(line) and not HASH.match(line)] == []


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_what_the_project_asks_for_is_pinned_as_it_asks(file: str) -> None:
    found = pins(file)

    for wanted in asked_for()[file]:
        name, _, version = re.sub(r"\[.*?\]", "", wanted).partition("==")
        assert found[name.lower().replace("_", "-")] == (version or found[name])


def test_developers_run_what_the_product_runs() -> None:
    assert pins("requirements.txt").items() <= pins("requirements-dev.txt").items()
