"""``doctor`` on the key service: whether it is open, lets us in, and what the login may open."""

from collections.abc import Iterator

import pytest

from meetbot_calendar.commands import checks_far
from meetbot_calendar.settings import Secret, Settings
from tests.vault.hands import a_vault
from tests.vault.set_up import SetUp


@pytest.fixture(params=["double", "real"])
def ready(request: pytest.FixtureRequest) -> Iterator[SetUp]:
    with a_vault(request.param) as given:
        yield given


def settings_of(ready: SetUp, principal: str) -> Settings:
    login = ready.logins[principal]
    return Settings(
        key_provider="vault",
        vault_addr=ready.url,
        vault_role_id=login.role_id,
        vault_secret_id=Secret(login.secret_id or ""),
    )


@pytest.mark.parametrize(("principal", "opens"), [("api", "content"), ("worker", "content, grant")])
def test_it_says_what_a_login_may_open(ready: SetUp, principal: str, opens: str) -> None:
    found = checks_far.vault(settings_of(ready, principal))

    said = f"Vault at {ready.url} is open, lets us in, and this login may open: {opens}"
    assert (found.state, found.detail) == ("ok", said)


def test_it_says_what_to_do_about_a_wrong_login(ready: SetUp) -> None:
    ready.logins["api"] = type(ready.logins["api"])(
        role_id=ready.logins["api"].role_id, secret_id="wrong"
    )

    found = checks_far.vault(settings_of(ready, "api"))

    assert found.state == "broken"
    assert "VAULT_SECRET_ID" in found.remedy
    assert "wrong" not in found.detail


def test_it_says_that_a_sealed_vault_is_to_be_unsealed(ready: SetUp) -> None:
    if ready.unseal_key is None:
        pytest.skip("a real Vault is sealed only where MEETBOT_TEST_VAULT_UNSEAL_KEY is given")
    ready.ask("PUT", "sys/seal", {})
    try:
        found = checks_far.vault(settings_of(ready, "api"))
    finally:
        ready.ask("PUT", "sys/unseal", {"key": ready.unseal_key})

    assert (found.state, found.remedy) == ("broken", "unseal it")
