"""Samples that others recorded; they lie beside the project's checkout, not in it."""

from pathlib import Path

import pytest

_FOLDER = Path(__file__).resolve().parents[2] / "shared" / "samples"


def recorded(name: str) -> Path:
    """Return a file or folder of the samples; skips the test where they are not."""
    found = _FOLDER / name
    if not found.exists():
        pytest.skip("the samples lie beside the project's checkout, not in it")
    return found
