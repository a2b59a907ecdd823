"""The page of attempts is what the attempts are."""

from pathlib import Path

from tests.attacks.listing import KINDS, attempts, kinds_there, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "attacks.md"
LEAST = 60


def test_the_page_lists_every_attempt_there_is() -> None:
    _, _, listed = PAGE.read_text().partition("<!-- attempts -->\n\n")

    assert kinds_there() - {"listing"} == set(KINDS)
    assert listed == table()


def test_there_are_as_many_attempts_as_were_asked_for() -> None:
    assert sum(len(attempts(kind)) for kind in KINDS) >= LEAST
