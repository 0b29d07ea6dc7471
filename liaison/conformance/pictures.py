"""The pictures of the page: bars as inline SVG, told in words to those who do not see them. Colours are the style sheet's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

#: Units of a bar's own coordinates; the style sheet says how long it is shown.
_LENGTH: Final = 1000
_HEIGHT: Final = 100
#: What is there at all is seen.
_THINNEST: Final = 6


def bar(part: int, whole: int, style: str, title: str) -> Markup:
    """One share of a whole, its background in the class ``rest``."""
    return stacked(((part, style), (whole - part, "rest")), title)


def stacked(parts: Sequence[tuple[int, str]], title: str) -> Markup:
    """Parts of a whole side by side, each in the CSS class that is named beside it; ``title`` says the same in words."""
    whole = sum(number for number, _ in parts)
    shown = [(number, style) for number, style in parts if number > 0]
    widths = _widths([number for number, _ in shown], whole)
    drawn: list[Markup] = []
    left = 0
    for (_, style), width in zip(shown, widths, strict=True):
        drawn.append(Markup('<rect class="{}" x="{}" width="{}" height="{}"/>').format(style, left, width, _HEIGHT))
        left += width
    return Markup('<svg class="bar" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img"><title>{}</title>{}</svg>').format(
        _LENGTH, _HEIGHT, title, Markup("").join(drawn)
    )


def _widths(numbers: Sequence[int], whole: int) -> list[int]:
    """Lengths that add up to the bar's; the longest gives what the thin ones need to be seen."""
    widths = [max(_THINNEST, round(_LENGTH * number / whole)) for number in numbers]
    if widths:
        widths[widths.index(max(widths))] += _LENGTH - sum(widths)
    return widths
