"""A referee from outside: schemathesis reads our document, and holds the running service to it."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from meetbot_calendar.commands.serve import serve
from tests.journeys.stage import MEET
from tests.web.house import OPERATOR_KEY, app_of
from tests.web.staged import RECORD_ALL, Staged

CONFIG = Path(__file__).resolve().parents[2] / "schemathesis.toml"


@pytest.mark.timeout(300)
async def test_the_service_keeps_to_its_document(
    staged: Staged, unused_tcp_port: int, tmp_path: Path
) -> None:
    await staged.meet("Kick-off", link=MEET)
    ann = await staged.ann()
    await staged.door.put(f"/v1/calendar/users/{ann}/rules", RECORD_ALL)

    async with _serving(staged, unused_tcp_port) as address:
        code, told = await _judged(address, str(staged.door.key), tmp_path, "--exclude-path-regex")

    assert code == 0, told


@pytest.mark.timeout(300)
async def test_the_operators_routes_keep_to_the_document(
    staged: Staged, unused_tcp_port: int, tmp_path: Path
) -> None:
    async with _serving(staged, unused_tcp_port) as address:
        code, told = await _judged(address, OPERATOR_KEY, tmp_path, "--include-path-regex")

    assert code == 0, told


async def _judged(address: str, key: str, folder: Path, which: str) -> tuple[int, str]:
    words = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run",
        f"{address}/schema/openapi.json",
        "--header", f"Authorization: Bearer {key}", which, "^/v1/tenants",
        "--phases", "coverage,fuzzing", "--max-examples", "6", "--seed", "1",
        "--continue-on-failure", "--no-color",
    ]  # fmt: skip
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*words, cwd=folder, stdout=pipe, stderr=pipe)
    told, trouble = await process.communicate()
    assert process.returncode is not None
    text = re.sub(r"(?s)^.*?(?=={5,} FAILURES)", "", told.decode()) + trouble.decode()
    return process.returncode, text


@asynccontextmanager
async def _serving(staged: Staged, port: int) -> AsyncIterator[str]:
    """Serve the door on a real socket, as the command does."""
    stop = asyncio.Event()
    serving = asyncio.ensure_future(serve(app_of(staged.stage.answered), "127.0.0.1", port, stop))
    try:
        await _open(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop.set()
        await serving


async def _open(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            await writer.wait_closed()
            return
    pytest.fail("the server never listened")
