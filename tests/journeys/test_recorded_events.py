"""The product runs on events that nobody here made up."""

import pytest

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.storage import calendars, decisions
from tests.journeys.stage import ANN, BOB, Stage
from tests.recorded import recorded


@pytest.mark.parametrize(
    ("provider", "email", "folder"),
    [(Provider.GOOGLE, ANN, "google_events"), (Provider.OUTLOOK, BOB, "graph_events")],
)
async def test_recorded_events_are_synced_and_decided(
    stage: Stage, provider: Provider, email: str, folder: str
) -> None:
    samples = recorded(folder)
    account = stage.world.directory.account(provider.value, email)
    assert account is not None
    calendar = stage.world.directory.primary(account)
    load = stage.world.folder_loaders[provider.value]
    load(stage.world, samples, calendar, to_present=True)

    connected = await stage.connect(provider, email)
    await stage.record_everything(connected.user_id)
    await stage.settle()

    async with stage.services.database.tenant(stage.context.tenant_id) as session:
        (synced,) = await calendars.of_user(session, connected.user_id)
        events = await stage.events()
        decided = await decisions.current(session, [event.id for event in events])
    assert (synced.error_code, synced.failures) == (None, 0)
    assert len(events) > 10
    assert set(decided) == {event.id for event in events}
