"""Whatever happens in two people's calendars, to the notices and to us: in the end all is right.

``bench/histories.py`` plays as many of these as one likes, and tells one again by its seed.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journeys.histories.playing import KINDS, play

SEEDS = (2, 5, 6, 7, 9)  # one of a kind, of the kinds with the most trouble in them


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", SEEDS, ids=[list(KINDS)[seed] for seed in SEEDS])
async def test_after_any_history_our_picture_is_the_worlds(
    emptied: Callable[[], str], tmp_path: Path, seed: int
) -> None:
    ended = await play(emptied(), tmp_path, seed)

    assert ended.wrong == (), ended
