"""Looks for secrets in what others may come to see, in every form in which bytes are written."""

import base64
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

_LEAST = 8


def forms_of(secret: str | bytes) -> dict[str, bytes]:
    """Return how a secret may be written down, inside of something longer too."""
    raw = secret.encode() if isinstance(secret, str) else secret
    assert len(raw) >= _LEAST, "too short to be looked for"
    forms = {
        "raw": raw,
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "quoted": quote(raw, safe="").encode(),
        "json": raw.replace(b"/", b"\\/"),
        "utf16": raw.decode("latin-1").encode("utf-16-le"),
    }
    for shift in range(3):  # base64 of a longer text holds one of three, whatever stands before
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            cut = encode(b"\0" * shift + raw)[4 if shift else 0 :]
            forms[f"{name} {shift}"] = cut[: len(cut) - 4]
    return forms


class Hunt:
    """Knows all secrets, and finds them."""

    def __init__(self, secrets: Mapping[str, str | bytes], *, in_base64: bool = True) -> None:
        self._forms = [
            (f"{name} ({form})", written)
            for name, secret in secrets.items()
            for form, written in forms_of(secret).items()
            if in_base64 or not form.startswith("base64")
        ]

    def in_bytes(self, where: str, text: bytes) -> Iterator[str]:
        """Say what of the secrets is in a text."""
        for what, written in self._forms:
            if written in text:
                yield f"{where}: {what}"

    def in_texts(self, where: str, texts: Iterable[str]) -> Iterator[str]:
        yield from self.in_bytes(where, "\n".join(texts).encode())

    def in_folder(self, folder: Path, allowed: set[str]) -> Iterator[str]:
        """Look through every file below a folder but those that are there to hold secrets."""
        for path in sorted(folder.rglob("*")):
            name = str(path.relative_to(folder))
            if not path.is_file() or any(name == a or name.startswith(f"{a}/") for a in allowed):
                continue
            try:
                content = path.read_bytes()
            except FileNotFoundError:  # servers remove files of theirs at any time
                continue
            yield from self.in_bytes(f"file {name}", content)
