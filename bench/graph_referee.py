"""Has Microsoft's own Python models read what the simulated Graph says.

msgraph-sdk takes 400 MB and minutes to install, so it is no part of set-up: this makes an
environment of its own for it, once (``--environment`` says where). As ``--read`` it runs inside
that environment: JSON in, what the models did not understand out. A field that no model knows, and
an enumeration's value that none of them has, are faults of the simulator.
Run: ``.venv/bin/python -P bench/graph_referee.py``.
"""

import argparse
import asyncio
import importlib
import importlib.util
import json
import subprocess
import sys
import tempfile
import types
import venv
from datetime import timedelta
from pathlib import Path
from typing import Any

WANTED = (
    "msgraph-sdk==1.65.0", "microsoft-kiota-abstractions", "microsoft-kiota-serialization-json",
    "std-uritemplate", "opentelemetry-api", "opentelemetry-sdk", "pendulum", "python-dateutil",
    "tzdata", "six", "typing_extensions", "importlib_metadata", "zipp",
)  # fmt: skip
MODELS = {"event": "Event", "calendar": "Calendar"}
Json = dict[str, Any]


def environment(folder: Path) -> Path:
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", *WANTED], check=True)
    return python


def read() -> None:
    """Let the models read; runs beside them, and knows nothing of ours."""
    found = importlib.util.find_spec("msgraph")
    package = types.ModuleType("msgraph")  # its own beginning imports a whole HTTP client
    package.__path__ = list(found.submodule_search_locations or ()) if found else []
    sys.modules["msgraph"] = package
    node = importlib.import_module("kiota_serialization_json.json_parse_node").JsonParseNode
    faults: list[str] = []
    said = json.load(sys.stdin)
    for kind, name in MODELS.items():
        model = getattr(importlib.import_module(f"msgraph.generated.models.{kind}"), name)
        for row in said[kind]:
            faults += strange(kind, row, node(row).get_object_value(model))
    print(json.dumps({"read": {kind: len(said[kind]) for kind in MODELS}, "faults": faults}))


def strange(where: str, row: Json, model: Any) -> list[str]:  # noqa: ANN401 - theirs
    """Say what a model did not take of what it was given."""
    unknown = [name for name in model.additional_data if not name.startswith("@odata.")]
    faults = [f"{where}.{name} is unknown" for name in unknown if name != "@removed"]
    for name, reader in model.get_field_deserializers().items():
        given = row.get(name)
        if given in (None, "", [], {}) or reader is None or name.startswith("@odata."):
            continue
        taken = getattr(model, snake(name), None)
        if taken is None:
            faults.append(f"{where}.{name}: {given!r} is not understood")
        elif isinstance(given, dict) and hasattr(taken, "get_field_deserializers"):
            faults += strange(f"{where}.{name}", given, taken)
        elif isinstance(given, list) and isinstance(given[0], dict):
            for each, one in zip(given, taken, strict=True):
                faults += strange(f"{where}.{name}[]", each, one)
    return faults


def snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


async def listen() -> Json:
    """Ask the simulator for everything it can say of events and calendars."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    ground = importlib.import_module("bench.ground")
    model = importlib.import_module("meetbot_calendar.calendars.model")
    email = "cy@acme.example"
    async with ground.open_bench() as bench:
        user_id = await bench.connect(model.Provider.OUTLOOK, email)
        ids = await hold_all(bench, email)
        await bench.play(f"/sandbox/meetings/{ids[2]}/cancel", {"slot": ids.pop()})
        graph = f"{bench.sandbox}/microsoft/graph/v1.0"
        calendars = importlib.import_module("meetbot_calendar.storage.calendars")
        grants = importlib.import_module("meetbot_calendar.journeys.grants")
        async with bench.services.database.tenant(bench.context.tenant_id) as session:
            (calendar,) = await calendars.of_user(session, user_id)
        grant = await grants.fresh(bench.services, bench.context, calendar.connection_id)
        headers = {"Authorization": f"Bearer {grant.access_token}"}

        async def rows(path: str, **params: str) -> list[Json]:
            answer = await bench.http.get(f"{graph}{path}", headers=headers, params=params)
            found: list[Json] = answer.raise_for_status().json()["value"]
            return found

        now = bench.services.clock.now()
        window = {
            "startDateTime": f"{now - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
            "endDateTime": f"{now + timedelta(days=28):%Y-%m-%dT%H:%M:%SZ}",
        }
        events = [
            row
            for p in ("/me/calendarView", "/me/calendarView/delta")
            for row in await rows(p, **window)
        ]
        events += await rows("/me/events")
        return {"event": events, "calendar": await rows("/me/calendars")}


async def hold_all(bench: Any, email: str) -> list[str]:  # noqa: ANN401 - see ground.py
    """Hold meetings of every kind; returns their ids, and at last a slot of the third."""
    start = (bench.services.clock.now() + timedelta(hours=5)).replace(microsecond=0)
    kinds: list[Json] = [
        {
            "link": "https://teams.microsoft.com/l/meetup-join/19%3ameeting_x%40thread.v2/0?context=y"
        },
        {"visibility": "private", "location": "Room 4"},
        {"recurrence": "RRULE:FREQ=DAILY;COUNT=5", "zone": "Europe/Berlin"},
        {"recurrence": "RRULE:FREQ=MONTHLY;BYDAY=2TH"},
        {"all_day": True, "busy": False},
        {"guests_hidden": True, "description": "Agenda"},
    ]
    ids = []
    for facts in kinds:
        asked = {
            "organizer": email,
            "title": "Weekly",
            "start": start.isoformat(),
            "end": (start + timedelta(minutes=30)).isoformat(),
            "attendees": [{"email": "dana@customer.example", "response": "tentative"}],
        }
        ids.append((await bench.play("/sandbox/meetings", asked | facts))["id"])
    return [*ids, f"{start + timedelta(days=1):%Y%m%dT%H%M%SZ}"]


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--read", action="store_true")
    folder = Path(tempfile.gettempdir()) / "meetbot-graph-referee"
    given.add_argument("--environment", type=Path, default=folder)
    asked = given.parse_args()
    if asked.read:
        read()
        return
    said = asyncio.run(listen())
    python = environment(asked.environment)
    heard = subprocess.run(
        [python, __file__, "--read"],
        input=json.dumps(said),
        capture_output=True,
        text=True,
        check=True,
    )
    verdict = json.loads(heard.stdout)
    print(verdict["read"], *sorted(set(verdict["faults"])), sep="\n")
    sys.exit(bool(verdict["faults"]))


if __name__ == "__main__":
    main()
