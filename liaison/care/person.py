"""Persons as the hub knows them: the strict traits of a patient, and professionals."""

from __future__ import annotations

from liaison.private import Private


class Traits(Private, frozen=True, kw_only=True, omit_defaults=True):
    """The traits of an identity (RNIV). Empty strings stand for what the sender did not say."""

    birth_name: str
    first_given_name: str = ""
    #: All given names of the birth certificate, separated by spaces.
    given_names: str = ""
    used_name: str = ""
    used_given_name: str = ""
    #: ``YYYYMMDD``, or shorter where the sender knows less.
    birth_date: str = ""
    #: ``M``, ``F``, ``U`` or empty (table 0001 as France constrains it).
    sex: str = ""
    #: INSEE commune code of the birthplace (COG), five characters.
    birthplace_cog: str = ""

    @property
    def are_strict(self) -> bool:
        """Whether the five strict traits are there, without which an INS may not travel (PAM.fr §6.6.1)."""
        return bool(
            self.birth_name
            and self.first_given_name
            and len(self.birth_date) == 8
            and self.sex in ("M", "F")
            and self.birthplace_cog
        )

    @property
    def strict(self) -> tuple[str, ...]:
        """The five strict traits, as they are compared: one person has them alike everywhere."""
        return (self.birth_name.casefold(), self.first_given_name.casefold(), self.birth_date, self.sex, self.birthplace_cog)


class Ins(Private, frozen=True, kw_only=True):
    """A qualified national health identifier: it exists only where the sender said VALI and gave the strict traits."""

    matricule: str
    oid: str


class Professional(Private, frozen=True, kw_only=True, omit_defaults=True):
    """A health professional as a message names one."""

    #: 11 digits, or empty when the message gave only a local or older identifier.
    rpps: str = ""
    #: Any other identifier, as ``<type>:<value>``; empty when there is none.
    local_id: str = ""
    family: str = ""
    given: str = ""
