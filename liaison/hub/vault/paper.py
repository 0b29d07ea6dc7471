"""A key file on a page for the safe: letters and digits that cannot be mistaken for each other, each line with a check of its own.

The page typed into a file is a key file again: nothing else is needed to open a journal. Base32 (RFC 4648 §6) has no 0, 1, 8 or 9.
"""

from __future__ import annotations

import base64
import hashlib

_TITLE = "liaison-keys 2"
_LINE_BYTES = 10
_SECRETS = 64
_LINES = -(-_SECRETS // _LINE_BYTES)


class MistypedPage(Exception):
    """A line of the page is not what was printed. Says which, in French; never what it holds."""


def write(secrets: bytes, check: str) -> str:
    """The page of 64 bytes of secrets; ``check`` is what ``liaison keys verify`` says of them."""
    lines = [f"{_TITLE}  {check}"]
    for number, start in enumerate(range(0, _SECRETS, _LINE_BYTES), 1):
        text = base64.b32encode(secrets[start : start + _LINE_BYTES]).decode().rstrip("=")
        groups = " ".join(text[at : at + 4] for at in range(0, len(text), 4))
        lines.append(f"{number}  {groups}  {_check(number, text)}")
    return "\n".join(lines) + "\n"


def is_page(raw: bytes) -> bool:
    """Whether a file begins as a page does."""
    return raw.lstrip()[: len(_TITLE)].lower() == _TITLE.encode()


def read(raw: bytes) -> bytes:
    """The 64 bytes of a page, whatever its spaces and case.

    Raises:
        MistypedPage: a line is missing or does not agree with its check.
    """
    lines = [line.split() for line in raw.decode("ascii", "replace").upper().splitlines() if line.strip()][1:]
    secrets = b""
    for number, start in enumerate(range(0, _SECRETS, _LINE_BYTES), 1):
        parts = lines[number - 1] if number <= len(lines) else []
        text = "".join(parts[1:-1])
        if len(parts) < 3 or parts[0] != str(number) or parts[-1] != _check(number, text):
            raise MistypedPage(f"ligne {number} : elle manque ou une de ses lettres n'est pas celle de la page.")
        size = min(_LINE_BYTES, _SECRETS - start)
        try:
            part = base64.b32decode(text + "=" * (-len(text) % 8))
        except ValueError:
            part = b""
        if len(part) != size:
            raise MistypedPage(f"ligne {number} : elle n'a pas la longueur attendue.")
        secrets += part
    if len(lines) > _LINES:
        raise MistypedPage("la page a des lignes de trop.")
    return secrets


def _check(number: int, text: str) -> str:
    """Two letters that a mistake changes in 1,023 cases of 1,024."""
    digest = hashlib.sha256(f"{number}:{text}".encode()).digest()
    return base64.b32encode(digest).decode()[:2]
