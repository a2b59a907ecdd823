"""Reads MeetStream's guides: every request of their examples, and the answers they document."""

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tests.web.house import Json

FOLDER = Path(__file__).resolve().parents[2] / "samples" / "meetstream"
_HOST = "https://api.meetstream.ai"
_BLOCK = re.compile(
    r"^(?P<heading>#{1,4} [^\n]+)$|^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_ADDRESS = re.compile(r"(GET|POST|PATCH|DELETE) (\S+)")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request as a guide shows it; ``template`` is its path with names for ids."""

    section: str
    method: str
    target: str
    headers: dict[str, str]
    body: Json | None

    @property
    def template(self) -> str:
        path = self.target.partition("?")[0].removeprefix("/api/v1/calendar/")
        return re.sub(r"\bevt_\w+", "{event_id}", re.sub(r"\bbot_111[.]*", "{bot_id}", path))

    @property
    def name(self) -> str:
        return f"{self.method} {self.template}"


class Guide(msgspec.Struct, frozen=True, kw_only=True):
    """A guide: its requests in order, and by ``name`` what is answered."""

    requests: tuple[Request, ...]
    answers: dict[str, Json]


def read_guide(name: str) -> Guide:
    """Read one guide's examples."""
    reader = _Reader()
    for found in _BLOCK.finditer((FOLDER / name).read_text()):
        reader.take(found["heading"], found["kind"], found["text"])
    return Guide(requests=tuple(reader.requests()), answers=reader.answers)


class _Reader:
    """Knows of what a block speaks by what came before it."""

    def __init__(self) -> None:
        self.section = self.heading = ""
        self.address: tuple[str, str] = ("", "")
        self.shown: list[Request] = []
        self.addressed: list[Request] = []
        self.answers: dict[str, Json] = {}
        self.has_curl = False

    def take(self, heading: str | None, kind: str | None, text: str | None) -> None:
        if heading is not None:
            self._turn(heading)
        elif kind == "json":
            self._json(msgspec.json.decode(text or ""))
        elif kind == "bash":
            self.has_curl = True
            self.shown.append(_curl(self.section, text or ""))
        elif said := _ADDRESS.match(text or ""):
            self.address, self.has_curl = (said[1], said[2]), False
            self.addressed.append(self._request(None))

    def requests(self) -> Iterator[Request]:
        """Give what was shown, and addresses of which nothing else was shown."""
        told = {request.name for request in self.shown}
        yield from self.shown
        yield from (request for request in self.addressed if request.name not in told)

    def _turn(self, heading: str) -> None:
        self.heading = heading.lstrip("# ")
        if heading.startswith("## "):
            self.section = self.heading

    def _json(self, document: Json) -> None:
        """An answer where a heading, a curl line or a GET came before; else a body to send."""
        answers = self.heading == "Response" or self.has_curl or self.address[0] == "GET"
        if answers and not self.heading.startswith("Request body"):
            self.answers[self._request(None).name] = document
        else:
            self.shown.append(self._request(document))

    def _request(self, body: Json | None) -> Request:
        method, url = self.address
        headers = {"Authorization": "Token <YOUR_API_KEY>", "Content-Type": "application/json"}
        return Request(
            section=self.section,
            method=method,
            target=url.removeprefix(_HOST),
            headers=headers,
            body=body,
        )


def _curl(section: str, line: str) -> Request:
    words = shlex.split(line.replace("\\\n", " "))
    given: dict[str, list[str]] = {}
    for option, value in itertools.pairwise(words):
        given.setdefault(option, []).append(value)
    url = next(word for word in words if word.startswith(_HOST))
    return Request(
        section=section,
        method=given["-X"][0],
        target=url.removeprefix(_HOST),
        headers=dict(header.split(": ", 1) for header in given["-H"]),
        body=msgspec.json.decode(given["-d"][0]) if "-d" in given else None,
    )
