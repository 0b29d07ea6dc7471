"""What the configuration decides for every message: routes, letters' rules, and how each source is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from liaison.mappings.interpretation import SourceProfile
from liaison.rules.gates.followed import FollowList
from liaison.rules.golive import GoingLive
from liaison.rules.letters import LetterRules
from liaison.rules.routing import NO_LISTS, Route, followed_destinations


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Immutable while the hub runs; a new configuration makes a new one."""

    letters: LetterRules
    profiles: Mapping[str, SourceProfile]
    #: Every destination that a route names.
    destinations: tuple[str, ...]
    #: Identifier authority → FINESS of the establishment inside which its identifiers mean something; others mean it to who speaks.
    domains: Mapping[str, str] = {}
    #: FINESS of the establishments whose patients an INS may recognise across hospitals.
    matching: frozenset[str] = frozenset()
    #: Whether several establishments speak: only then can an INS be met in two hospitals.
    several: bool = False
    #: How far each source is on its way to being live, and which destinations are under test.
    going_live: GoingLive = GoingLive()
    #: Lists of followed patients.
    lists: Mapping[str, FollowList] = NO_LISTS

    @property
    def follows(self) -> bool:
        """Whether a route asks who is followed: else nothing is asked of the journal about it."""
        return bool(followed_destinations(self.routes))

    @property
    def establishments(self) -> tuple[str, ...]:
        """FINESS of every establishment that speaks."""
        spoken = (code for profile in self.profiles.values() for code in (profile.finess, *profile.establishments.values()))
        return tuple(dict.fromkeys((*spoken, *self.domains.values())))

    @property
    def routes(self) -> tuple[Route, ...]:
        """All routes, in the configuration's order."""
        return self.letters.routes

    @property
    def territory(self) -> Literal["test", "production"]:
        """Whether real patients' letters leave."""
        return self.letters.territory
