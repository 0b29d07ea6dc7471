"""Escape sequences (HL7 v2.5 §2.7): what stands for a delimiter, a byte or a line break inside a value.

``\\F\\ \\S\\ \\T\\ \\R\\ \\E\\`` (and ``\\P\\`` of v2.7), ``\\Xdd…\\`` and ``\\.br\\`` are resolved. Highlighting, character set
switches, local and other formatting sequences are left as they are; so is an escape character that opens none.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from liaison.hl7.charset import decode
from liaison.hl7.delimiters import Delimiters

#: Sequences of the standard that are kept verbatim, whole, so that their closing character opens nothing.
_KEPT = r"H|N|C[0-9A-Fa-f]{4}|M[0-9A-Fa-f]{4,6}|Z[0-9A-Za-z]{0,20}|\.(?:sp|in|ti|fi|nf|ce|sk)[ +\-]?\d{0,4}"


def unescape(text: str, delimiters: Delimiters, codec: str = "utf-8") -> str:
    """The value that ``text``, a component or subcomponent, stands for. ``codec`` gives the bytes of ``\\Xdd…\\`` their meaning."""
    if delimiters.escape not in text:
        return text
    pattern, letters = _reading(delimiters)

    def meaning(match: re.Match[str]) -> str:
        letter, digits, line_break = match.group(1, 2, 3)
        if letter:
            return letters[letter]
        if line_break:
            return "\n"
        if digits:
            raw = bytes.fromhex(digits)
            try:
                return decode(raw, codec)
            except UnicodeDecodeError:
                return decode(raw, "cp1252")
        return match.group()

    return pattern.sub(meaning, text)


def escape(value: str, delimiters: Delimiters) -> str:
    """``value`` so that no character of it is taken for a delimiter, a segment's end or a frame's end."""
    pattern, replacement = _writing(delimiters)
    return pattern.sub(replacement, value)


@functools.lru_cache(maxsize=64)
def _reading(delimiters: Delimiters) -> tuple[re.Pattern[str], dict[str, str]]:
    letters = {
        "F": delimiters.field,
        "S": delimiters.component,
        "T": delimiters.subcomponent,
        "R": delimiters.repetition,
        "E": delimiters.escape,
    }
    if delimiters.truncation:
        letters["P"] = delimiters.truncation
    mark = re.escape(delimiters.escape)
    return re.compile(rf"{mark}(?:([{''.join(letters)}])|X((?:[0-9A-Fa-f]{{2}})+)|(\.br)|{_KEPT}){mark}"), letters


@functools.lru_cache(maxsize=64)
def _writing(delimiters: Delimiters) -> tuple[re.Pattern[str], Callable[[re.Match[str]], str]]:
    mark = delimiters.escape
    letters = {text: f"{mark}{letter}{mark}" for letter, text in _reading(delimiters)[1].items()}
    letters["\n"] = f"{mark}.br{mark}"

    def replacement(match: re.Match[str]) -> str:
        character = match.group()
        return letters.get(character) or f"{mark}X{ord(character):02X}{mark}"

    return re.compile(f"[{re.escape(''.join(letters))}\\x00-\\x08\\x0b-\\x1f]"), replacement
