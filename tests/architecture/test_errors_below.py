"""Errors of the packages below the application have a row in its table of problems, too."""

import inspect

import pytest

from meetbot_calendar.web.problems import TABLE
from rules import faults
from tenants.secrets import envelope, key_provider
from tenants.storage import session

ERRORS = [
    kind
    for module in (faults, envelope, key_provider, session)
    for _, kind in inspect.getmembers(module, inspect.isclass)
    if issubclass(kind, Exception) and kind.__module__ == module.__name__
]


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_has_a_row_in_the_table_of_problems(error: type[Exception]) -> None:
    assert any(base in TABLE for base in error.__mro__)
