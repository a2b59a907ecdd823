"""``?provider=&account_id=``: all of a person's accounts, or one."""

from typing import Annotated

from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter, SkipValidation

from meetbot_calendar.journeys.scope import Scope
from meetbot_calendar.web.api.connect import ProviderName, provider_of

Scoped = NamedDependency[SkipValidation[Scope]]
_Account = Annotated[
    str | None,
    QueryParameter(
        max_length=254, pattern=r"^[^\x00]*$", description="The account's email, URL-encoded."
    ),
]


def scope_of(
    provider: Annotated[ProviderName | None, QueryParameter()] = None, account_id: _Account = None
) -> Scope:
    """Read which accounts are meant."""
    return Scope(
        provider=None if provider is None else provider_of(provider),
        account_id=None if account_id is None else account_id.lower(),
    )


SCOPED = {"accounts": Provide(scope_of, sync_to_thread=False)}
