"""The life of an alert: one telling at the start, one at the end, nothing between, whatever comes and goes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from liaison.hub.journal.records import AlertRecord
from liaison.hub.watch.alerts import CALM, LONGEST_CALM, Telling, advance, calm, due, telling_id, told
from liaison.hub.watch.troubles import Kind, Level, Trouble

_MINUTE = 60_000_000
_DAY = 24 * 60 * _MINUTE


def trouble(about: str = "ch", kind: Kind = Kind.SILENCE, step: int = 1) -> Trouble:
    return Trouble(kind=kind, about=about, level=Level.WARNING, text="…", step=step)


class Story:
    """Looks at what is wrong, one after the other, and tells at once what is due; ``tells`` keeps when."""

    def __init__(self) -> None:
        self.alerts: dict[tuple[str, str, int], AlertRecord] = {}
        self.tells: list[tuple[int, str, Telling]] = []

    def look(self, now: int, *found: Trouble, reaches: bool = True) -> None:
        for alert in advance(self.alerts.values(), found, now):
            self.alerts[alert.kind, alert.about, alert.since] = alert
        for key, alert in list(self.alerts.items()):
            if reaches and (telling := due(alert, now)) is not None:
                self.tells.append((now, alert.about, telling))
                self.alerts[key] = told(alert, telling, now, step=alert.step)

    def told(self, about: str = "ch") -> list[Telling]:
        return [telling for _, name, telling in self.tells if name == about]


def test_one_at_the_start_one_at_the_end() -> None:
    story = Story()
    for minute in range(60):
        story.look(minute * _MINUTE, *([trouble()] if 5 <= minute < 30 else []))
    assert [(now // _MINUTE, telling) for now, _, telling in story.tells] == [(5, Telling.START), (40, Telling.END)]
    (alert,) = story.alerts.values()
    assert alert.ended_at == 30 * _MINUTE


def test_each_thing_has_its_own() -> None:
    story = Story()
    story.look(0, trouble("ch"), trouble("platform", Kind.BACKLOG))
    story.look(_MINUTE, trouble("ch"))
    story.look(_MINUTE + CALM, trouble("ch"))
    assert story.told("ch") == [Telling.START]
    assert story.told("platform") == [Telling.START, Telling.END]


def test_a_certificate_is_told_again_as_its_end_comes_near_and_never_back() -> None:
    story = Story()
    for minute, step in enumerate((1, 1, 2, 2, 1, 3, 3)):
        story.look(minute * _MINUTE, trouble(step=step, kind=Kind.CERTIFICATE))
    assert [now // _MINUTE for now, _, _ in story.tells] == [0, 2, 5]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=48 * 12), st.integers(1, 5))
def test_whatever_comes_and_goes_starts_and_ends_alternate_and_are_few(seen: list[bool], minutes: int) -> None:
    story = Story()
    for number, wrong in enumerate(seen):
        story.look(number * minutes * _MINUTE, *([trouble()] if wrong else []))
    tellings = story.told()
    assert tellings == [Telling.START, Telling.END] * (len(tellings) // 2) + [Telling.START] * (len(tellings) % 2)
    assert sum(alert.ended_at is None for alert in story.alerts.values()) <= 1
    starts = [now for now, _, telling in story.tells if telling is Telling.START]
    assert all(sum(begin <= other < begin + _DAY for other in starts) <= 9 for begin in starts)


def test_what_flaps_for_three_days_is_told_a_few_times_a_day() -> None:
    story = Story()
    for minute in range(3 * 24 * 60):
        story.look(minute * _MINUTE, *([trouble()] if minute // 15 % 2 else []))
    assert story.told()[:3] == [Telling.START, Telling.END, Telling.START]
    assert len(story.told()) <= 3 * 4


@given(st.integers(1, 40))
def test_the_more_often_it_began_the_longer_it_must_be_calm(beginnings: int) -> None:
    assert CALM <= calm(beginnings) <= calm(beginnings + 1) <= LONGEST_CALM


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_a_restart_changes_nothing(looks: list[tuple[bool, bool]]) -> None:
    """What is kept is all that matters: a hub that starts anew before any look tells the same."""
    steady, restarted = Story(), Story()
    for number, (wrong, restarts) in enumerate(looks):
        if restarts:
            again = Story()
            again.alerts = {key: replace(alert) for key, alert in restarted.alerts.items()}
            again.tells = restarted.tells
            restarted = again
        found = [trouble()] if wrong else []
        steady.look(number * 7 * _MINUTE, *found)
        restarted.look(number * 7 * _MINUTE, *found)
    assert steady.tells == restarted.tells


def test_what_could_not_be_told_in_time_is_told_once_as_over_and_after_a_day_not_at_all() -> None:
    story = Story()
    story.look(0, trouble("ch"), trouble("old"), reaches=False)
    story.look(_MINUTE, trouble("ch"), reaches=False)
    story.look(_MINUTE + CALM, trouble("ch"), reaches=False)
    story.look(_DAY, trouble("ch"), reaches=False)
    story.look(_DAY + _MINUTE, reaches=False)
    story.look(_DAY + _MINUTE + CALM)
    story.look(2 * _DAY)
    assert story.told("ch") == [Telling.END]
    assert story.told("old") == [Telling.END] or story.told("old") == []
    ended_long_ago = AlertRecord(kind="disk", about="journal", since=0, ended_at=_MINUTE)
    assert due(ended_long_ago, _MINUTE + _DAY) is None


def test_a_telling_has_one_name_however_often_it_is_repeated() -> None:
    alert = AlertRecord(kind="silence", about="ch", since=5)
    later = replace(alert, told_at=7, calm_since=8, ended_at=9)
    assert telling_id(alert, Telling.START) == telling_id(later, Telling.START) != telling_id(later, Telling.END)
    assert telling_id(replace(alert, step=2), Telling.START) != telling_id(alert, Telling.START)
    assert telling_id(replace(alert, since=6), Telling.START) != telling_id(alert, Telling.START)
