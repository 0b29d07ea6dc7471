"""Records that their hospital says are of one person, without making them one (A24), or says are not (A37)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from liaison.care.changes import Change
from liaison.private import Private


class Link(Private, frozen=True, kw_only=True):
    """What was last said of another record."""

    #: The other patient's opaque id.
    other: str
    linked: bool
    recorded_at: datetime


def linked_ids(links: Iterable[Link]) -> tuple[str, ...]:
    """Ids of the records that are linked."""
    return tuple(one.other for one in links if one.linked)


def with_link(links: tuple[Link, ...], said: Link) -> tuple[Link, ...]:
    """``links`` after one more was said, in whatever order they come; ``links`` itself when it is old."""
    return _newest((*links, said))


def links_of_both(one: tuple[Link, ...], other: tuple[Link, ...], *, but: tuple[str, str]) -> tuple[Link, ...]:
    """The links of two records that became one: the newest of each, and none of one with the other (``but``, their ids)."""
    return tuple(link for link in _newest((*one, *other)) if link.other not in but)


def link_changes(before: Iterable[Link], after: Iterable[Link], *, revision: int) -> list[Change]:
    """What to tell of the difference; an end names the beginning that it undoes."""
    known = {one.other: one.linked for one in before}
    return [
        Change(
            type="identity.linked" if one.linked else "identity.unlinked",
            at=one.recorded_at,
            about=f"link:{one.other}",
            revision=revision,
            undoes="" if one.linked else "identity.linked",
            cancels=not one.linked,
        )
        for one in after
        if one.linked != known.get(one.other, False)
    ]


def _newest(links: Iterable[Link]) -> tuple[Link, ...]:
    """The last said of each other record, by its id.

    Of two in one second it is the end that holds: a link that is wrong shows one person another's stays.
    """
    newest = {one.other: one for one in sorted(links, key=lambda one: (one.recorded_at, not one.linked))}
    return tuple(newest[other] for other in sorted(newest))
