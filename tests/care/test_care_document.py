"""Documents: versions, replacement chains in any order, withdrawal, and what is told of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest

from liaison.care import notes
from liaison.care.changes import remember, told_event_id
from liaison.care.document import Document, DocumentFold, DocumentStatus, document_changes, fold_document
from liaison.care.facts import Addressee, DocumentAction, DocumentFact
from liaison.care.identifiers import Identifier, IdentifierKind

T0 = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
PUBLISH, REPLACE, WITHDRAW = DocumentAction.PUBLISH, DocumentAction.REPLACE, DocumentAction.WITHDRAW


def letter(name: str, version: int = 1, action: DocumentAction = PUBLISH, **more: Any) -> DocumentFact:
    given: dict[str, Any] = {
        "set_id": "1.2.3^set",
        "digest": f"digest-{name}",
        "recorded_at": T0 + timedelta(hours=version + 1),
        "created_at": T0 + timedelta(hours=version),
        **more,
    }
    return DocumentFact(
        patient=(Identifier(kind=IdentifierKind.IPP, authority="finess:400011177", value="800"),),
        action=action,
        id=f"1.2.3^{name}",
        version=version,
        type_code="11490-0",
        title="Lettre de liaison",
        level="N1",
        same_patient=True,
        **given,
    )


class Shelf:
    """What a journal would keep: every document by id."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self.told: list[tuple[str, str, str]] = []

    def take(self, fact: DocumentFact) -> DocumentFold:
        before = self.documents.get(fact.id)
        chain = [one for one in self.documents.values() if fact.set_id == one.set_id or one.id == fact.replaces]
        fold = fold_document(before, fact, patient_id="p1", chain=chain)
        changes = document_changes(before, fold.document)
        events = [(change, f"e{len(self.told) + number}") for number, change in enumerate(changes)]
        self.told += [(change.type, change.about, told_event_id(fold.document, change)) for change in changes]
        self.documents[fact.id] = remember(fold.document, events)
        for old, new in fold.others:
            assert document_changes(old, new) == ()
            self.documents[new.id] = new
        return fold

    @property
    def states(self) -> dict[str, tuple[DocumentStatus, str]]:
        return {name.partition("^")[2]: (one.status, one.replaced_by) for name, one in sorted(self.documents.items())}


def shelf(*facts: DocumentFact) -> Shelf:
    made = Shelf()
    for fact in facts:
        made.take(fact)
    return made


V1 = letter("a", 1)
V2 = letter("b", 2, REPLACE, replaces="1.2.3^a")
V3 = letter("c", 3, REPLACE, replaces="1.2.3^b")


def test_a_published_document_is_current_and_told() -> None:
    made = shelf(V1)
    assert made.states == {"a": (DocumentStatus.CURRENT, "")}
    assert made.told == [("document.published", "document:1.2.3^a", "")]


def test_a_replacement_is_told_on_the_new_version_and_names_what_it_replaces() -> None:
    made = shelf(V1, V2, V3)
    assert made.states == {
        "a": (DocumentStatus.REPLACED, "1.2.3^b"),
        "b": (DocumentStatus.REPLACED, "1.2.3^c"),
        "c": (DocumentStatus.CURRENT, ""),
    }
    assert made.told == [
        ("document.published", "document:1.2.3^a", ""),
        ("document.replaced", "document:1.2.3^b", "e0"),
        ("document.replaced", "document:1.2.3^c", "e1"),
    ]


@pytest.mark.parametrize("order", list(permutations((V1, V2, V3))))
def test_only_the_newest_version_is_current_whatever_the_order(order: tuple[DocumentFact, ...]) -> None:
    statuses = {name: status for name, (status, _) in shelf(*order).states.items()}
    assert statuses == {"a": DocumentStatus.REPLACED, "b": DocumentStatus.REPLACED, "c": DocumentStatus.CURRENT}


def test_an_old_version_that_comes_late_is_told_as_historic() -> None:
    made = shelf(V2)
    fold = made.take(V1)
    (change,) = document_changes(None, fold.document)
    assert (change.type, change.historic) == ("document.published", True)


def test_an_unknown_parent_is_accepted_with_a_note() -> None:
    made = shelf(V2)
    assert made.documents["1.2.3^b"].notes == (notes.UNKNOWN_PARENT,)
    assert made.told == [("document.replaced", "document:1.2.3^b", "")]


def test_a_parent_is_found_by_its_id_when_the_set_changed() -> None:
    other_set = letter("b", 1, REPLACE, replaces="1.2.3^a", set_id="1.2.3^b")
    assert shelf(V1, other_set).states["a"] == (DocumentStatus.REPLACED, "1.2.3^b")


def test_the_same_id_with_other_bytes_is_a_conflict_and_changes_nothing() -> None:
    made = shelf(V1)
    before = made.documents["1.2.3^a"]
    fold = fold_document(before, letter("a", 1, digest="other"), patient_id="p1")
    assert fold.conflict
    assert fold.document is before


def test_the_same_document_again_tells_nothing_and_newer_addressees_are_kept() -> None:
    made = shelf(V1)
    before = made.documents["1.2.3^a"]
    assert made.take(msgspec.structs.replace(V1, recorded_at=T0 + timedelta(days=1))).document is before
    more = msgspec.structs.replace(
        V1, addressees=(Addressee(address="bal@exemple.mssante.fr"),), recorded_at=T0 + timedelta(days=2)
    )
    after = made.take(more).document
    assert (len(after.fact.addressees), after.revision, len(made.told)) == (1, 2, 1)
    assert made.take(V1).document == after


def test_a_withdrawal_is_final_and_names_what_it_withdraws() -> None:
    made = shelf(V1, letter("a", 1, WITHDRAW, recorded_at=T0 + timedelta(hours=9)))
    assert made.told[-1] == ("document.withdrawn", "document:1.2.3^a", "e0")
    document = made.documents["1.2.3^a"]
    assert (document.status, document.withdrawn_at) == (DocumentStatus.WITHDRAWN, T0 + timedelta(hours=9))
    made.take(V1)
    assert made.documents["1.2.3^a"].status is DocumentStatus.WITHDRAWN
    assert len(made.told) == 2
    assert made.take(letter("a", 1, WITHDRAW)).document == made.documents["1.2.3^a"]


def test_a_withdrawal_that_comes_first_keeps_the_document_from_leaving() -> None:
    made = shelf(letter("a", 1, WITHDRAW, digest="wrapper"))
    assert made.documents["1.2.3^a"].notes == (notes.WITHDRAWAL_OF_UNKNOWN,)
    assert made.told == [("document.withdrawn", "document:1.2.3^a", "")]
    fold = made.take(V1)
    assert (fold.conflict, fold.document.status, fold.document.digest) == (False, DocumentStatus.WITHDRAWN, "digest-a")
    assert notes.PUBLISHED_AFTER_WITHDRAWAL in fold.document.notes


def test_a_withdrawn_version_leaves_its_successor_and_its_parent_as_they_are() -> None:
    made = shelf(V1, V2, letter("b", 2, WITHDRAW))
    assert made.states == {"a": (DocumentStatus.REPLACED, "1.2.3^b"), "b": (DocumentStatus.WITHDRAWN, "")}


def test_two_documents_of_one_version_are_noted() -> None:
    made = shelf(V1, letter("z", 1))
    assert made.documents["1.2.3^z"].notes == (notes.SAME_VERSION,)
    assert made.states["a"] == (DocumentStatus.CURRENT, "")


def test_a_document_survives_json_and_msgpack_and_prints_nothing() -> None:
    document = shelf(V1, V2).documents["1.2.3^b"]
    assert document.told
    assert msgspec.json.decode(msgspec.json.encode(document), type=Document) == document
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(document), type=Document) == document
    assert repr(document) == "<Document>"
