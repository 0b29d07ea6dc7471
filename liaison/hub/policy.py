"""What the configuration decides for every message: routes, letters' rules, and how each source is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from liaison.mappings.interpretation import SourceProfile
from liaison.rules.golive import GoingLive
from liaison.rules.letters import LetterRules
from liaison.rules.routing import Route


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

    @property
    def routes(self) -> tuple[Route, ...]:
        """All routes, in the configuration's order."""
        return self.letters.routes

    @property
    def territory(self) -> Literal["test", "production"]:
        """Whether real patients' letters leave."""
        return self.letters.territory
