from __future__ import annotations

import hashlib
import io
import zipfile
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from msgspec.structs import replace

from liaison.cda.xds import Coded, DocumentEntry, EntryAuthor
from liaison.mssante.container import MAX_FILES, RATIO_FLOOR
from liaison.mssante.ebrim import Replacement, Submission, write_metadata
from liaison.mssante.xdm import ArchiveDocument, Producer, UnsafeArchive, read_archive, write_archive

RIM = {"rim": "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"}
CDA = b"<ClinicalDocument xmlns='urn:hl7-org:v3'>&#233;</ClinicalDocument>"
PATIENT = "279035121518989^^^&1.2.250.1.213.1.4.10&ISO^NH"
ENTRY = DocumentEntry(
    entry_uuid="urn:uuid:11111111-2222-5333-8444-555555555555",
    mime_type="text/xml",
    uri="DOC0001.XML",
    unique_id="1.2.250.1.999.1",
    hash=hashlib.sha1(CDA).hexdigest(),
    size=len(CDA),
    title='Lettre <de> "liaison" & suite',
    language="fr-FR",
    creation_time="20261120101500",
    service_start="20261110",
    service_stop="20261120",
    type_code=Coded(code="11490-0", system="2.16.840.1.113883.6.1", label="Lettre de liaison à la sortie"),
    class_code=Coded(code="10", system="1.2.250.1.213.1.1.4.1", label="Compte rendu"),
    format_code=Coded(code="urn:asip:ci-sis:ldl-ses:2017", system="1.2.250.1.213.1.1.4.2.282"),
    confidentiality=(Coded(code="N", system="2.16.840.1.113883.5.25"), Coded(code="MASQUE_PS", system="1.2.250.1.213.1.1.4.13")),
    facility=Coded(code="SA01", system="1.2.250.1.71.4.2.4"),
    practice_setting=Coded(code="ETABLISSEMENT", system="1.2.250.1.213.1.1.4.9"),
    events=(Coded(code="IMP", system="2.16.840.1.113883.5.4"),),
    authors=(EntryAuthor(person="801234567897^DAVID^Charles^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS", role="Auteur"),),
    legal_authenticator="801234567897^DAVID^Charles",
    patient_id=PATIENT,
    source_patient_id="12345^^^&1.2.3&ISO^PI",
    source_patient_info=("PID-5|PAT-TROIS^DOMINIQUE^^^^^L", "PID-8|F"),
    reference_ids=("225^^^&1.2&ISO^urn:ihe:iti:xds:2013:accession",),
)
SUBMISSION = Submission(
    unique_id="2.25.1",
    source_id="2.25.2",
    time="20261122083000",
    patient_id=PATIENT,
    content_type=Coded(code="03", system="1.2.250.1.213.2.2", label="Hospitalisation complète"),
    author=EntryAuthor(institution="CH de Mont-de-Marsan^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^1400011177"),
    recipients=("anne.lartigue@medecin.mssante.fr",),
)
PRODUCER = Producer(organisation="CH <b>de</b> Dax\r\n", product="Liaison 0.1", contact="liaison@na.mssante.fr")
AT = datetime(2026, 11, 20, 10, 15, 42, tzinfo=UTC)


def written(*documents: ArchiveDocument) -> bytes:
    return write_archive(documents or (ArchiveDocument(entry=ENTRY, content=CDA),), SUBMISSION, producer=PRODUCER, written_at=AT)


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def files_of(raw: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_archive_has_the_layout_of_iti_32() -> None:
    files = files_of(written(ArchiveDocument(entry=ENTRY, content=CDA, pdf=b"%PDF-1.4")))
    assert list(files) == [
        "README.TXT",
        "INDEX.HTM",
        "IHE_XDM/SUBSET01/METADATA.XML",
        "IHE_XDM/SUBSET01/DOC0001.XML",
        "IHE_XDM/SUBSET01/DOC0001.PDF",
    ]
    assert files["IHE_XDM/SUBSET01/DOC0001.XML"] == CDA
    assert b"\n" not in files["README.TXT"].replace(b"\r\n", b"") and b"CH <b>de</b> Dax" in files["README.TXT"]


def test_the_index_is_xhtml_without_script_and_escapes_what_it_shows() -> None:
    page = etree.fromstring(files_of(written())["INDEX.HTM"], etree.XMLParser(load_dtd=False, no_network=True))
    x = {"x": "http://www.w3.org/1999/xhtml"}
    links = page.xpath("//x:a/@href", namespaces=x)
    assert links == ["IHE_XDM/SUBSET01/DOC0001.XML", "README.TXT"]
    assert page.xpath("string(//x:li/x:a)", namespaces=x) == 'Lettre <de> "liaison" & suite'
    assert not page.xpath("//x:script | //x:b", namespaces=x)


def test_the_same_arguments_give_the_same_bytes() -> None:
    assert written() == written()


def test_an_entry_that_does_not_describe_its_bytes_is_refused() -> None:
    for wrong in (replace(ENTRY, size=1), replace(ENTRY, hash="0" * 40), replace(ENTRY, patient_id="other")):
        with pytest.raises(ValueError):
            written(ArchiveDocument(entry=wrong, content=CDA))


def texts(root: etree._Element, path: str) -> list[str]:  # pyright: ignore[reportPrivateUsage]
    found = root.xpath(path, namespaces=RIM)
    assert isinstance(found, list)
    return [str(item) for item in found]


def test_metadata_carry_every_attribute_of_the_entry() -> None:
    root = etree.fromstring(write_metadata(SUBMISSION, [ENTRY]))
    assert root.tag == "{urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0}SubmitObjectsRequest"
    entry = root.find(".//rim:ExtrinsicObject", RIM)
    assert entry is not None
    slot = "rim:Slot[@name='{}']/rim:ValueList/rim:Value/text()"
    for name, values in {
        "creationTime": ["20261120101500"],
        "serviceStartTime": ["20261110"],
        "serviceStopTime": ["20261120"],
        "languageCode": ["fr-FR"],
        "hash": [ENTRY.hash],
        "size": [str(len(CDA))],
        "URI": ["DOC0001.XML"],
        "sourcePatientId": [ENTRY.source_patient_id],
        "sourcePatientInfo": list(ENTRY.source_patient_info),
        "legalAuthenticator": [ENTRY.legal_authenticator],
        "urn:ihe:iti:xds:2013:referenceIdList": list(ENTRY.reference_ids),
    }.items():
        assert texts(entry, slot.format(name)) == values
    assert texts(entry, "rim:Name/rim:LocalizedString/@value") == [ENTRY.title]
    # IHE ITI TF-3 table 4.2.5.2-1, by hand and not from the module.
    for scheme, codes in {
        "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a": ["10"],
        "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983": ["11490-0"],
        "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d": ["urn:asip:ci-sis:ldl-ses:2017"],
        "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f": ["N", "MASQUE_PS"],
        "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1": ["SA01"],
        "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead": ["ETABLISSEMENT"],
        "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4": ["IMP"],
        "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d": [""],
    }.items():
        assert texts(entry, f"rim:Classification[@classificationScheme='{scheme}']/@nodeRepresentation") == codes
    identifier = "rim:ExternalIdentifier[@identificationScheme='urn:uuid:{}']/@value"
    assert texts(entry, identifier.format("58a6f841-87b3-4a3e-92fd-a8ffeff98427")) == [PATIENT]
    assert texts(entry, identifier.format("2e82c1f6-a085-4c72-9da3-8640a32e42ab")) == ["1.2.250.1.999.1"]
    package = root.find(".//rim:RegistryPackage", RIM)
    assert package is not None
    assert texts(package, identifier.format("6b5aea1a-874d-4603-a4bc-96a0a7b38446")) == [PATIENT]
    assert texts(package, identifier.format("554ac39e-e3fe-47fe-b233-965d2a147832")) == ["2.25.2"]
    assert texts(package, identifier.format("96fdda7c-d067-4183-912e-bf5ee74998a8")) == ["2.25.1"]
    assert texts(package, "rim:Classification/@classificationNode") == ["urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"]
    assert texts(package, slot.format("intendedRecipient")) == ["||^^Internet^anne.lartigue@medecin.mssante.fr"]


def test_registry_objects_keep_the_order_of_ebrim_and_ids_are_unique() -> None:
    order = ["Slot", "Name", "Description", "VersionInfo", "Classification", "ExternalIdentifier"]
    root = etree.fromstring(write_metadata(replace(SUBMISSION, title="Lot", comments="Note"), [ENTRY]))
    for element in root.iter("{*}RegistryPackage", "{*}ExtrinsicObject", "{*}Classification", "{*}ExternalIdentifier"):
        ranks = [order.index(etree.QName(child).localname) for child in element]
        assert ranks == sorted(ranks)
    ids = texts(root, "//@id")
    assert len(ids) == len(set(ids))
    for reference in texts(root, "//@classifiedObject | //@registryObject | //@sourceObject | //@targetObject"):
        assert reference in ids


def test_associations_say_membership_and_replacement() -> None:
    old = "urn:uuid:99999999-2222-5333-8444-555555555555"
    root = etree.fromstring(write_metadata(SUBMISSION, [ENTRY], [Replacement(new=ENTRY.entry_uuid, old=old)]))
    member, replacement = root.findall(".//rim:Association", RIM)
    assert member.get("associationType") == "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
    assert (member.get("sourceObject"), member.get("targetObject")) == ("SubmissionSet01", ENTRY.entry_uuid)
    assert texts(member, "rim:Slot[@name='SubmissionSetStatus']//rim:Value/text()") == ["Original"]
    assert replacement.get("associationType") == "urn:ihe:iti:2007:AssociationType:RPLC"
    assert (replacement.get("sourceObject"), replacement.get("targetObject")) == (ENTRY.entry_uuid, old)


@given(st.text(), st.text())
def test_any_value_reads_back_from_the_metadata_without_what_xml_cannot_hold(title: str, patient: str) -> None:
    entry = replace(ENTRY, title=title, patient_id=patient)
    root = etree.fromstring(write_metadata(replace(SUBMISSION, patient_id=patient), [entry]))
    kept = "".join(
        char
        for char in title
        if char in "\t\n\r" or (0x20 <= ord(char) < 0xFFFE and not 0xD800 <= ord(char) < 0xE000) or ord(char) > 0xFFFF
    )
    assert texts(root, "//rim:ExtrinsicObject/rim:Name/rim:LocalizedString/@value") == ([kept] if title else [])


def test_what_is_written_is_read_back_without_a_finding() -> None:
    archive = read_archive(written())
    assert archive.findings == ()
    (document,) = archive.documents
    assert document.content == CDA and document.entry is not None
    assert (document.entry.unique_id, document.entry.patient_id, document.entry.type_code) == (
        "1.2.250.1.999.1",
        PATIENT,
        "11490-0",
    )
    assert archive.metadata[0].source_id == "2.25.2"
    assert archive.others == ("INDEX.HTM", "README.TXT")


def test_names_are_matched_whatever_their_case_and_folder() -> None:
    files = {name.lower().replace("subset01", "SS000001"): content for name, content in files_of(written()).items()}
    archive = read_archive(zipped(files))
    assert archive.findings == () and archive.documents[0].content == CDA


def rules_of(raw: bytes) -> list[str]:
    return [finding.rule for finding in read_archive(raw).findings]


def test_a_document_changed_after_its_description_is_told() -> None:
    files = files_of(written())
    files["IHE_XDM/SUBSET01/DOC0001.XML"] += b" "
    assert rules_of(zipped(files)) == ["xdm.hash", "xdm.size"]
    del files["IHE_XDM/SUBSET01/DOC0001.XML"]
    assert rules_of(zipped(files)) == ["xdm.document-missing"]


def test_metadata_missing_or_unreadable_leave_the_documents() -> None:
    files = files_of(written())
    files["IHE_XDM/SUBSET01/METADATA.XML"] = b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"
    archive = read_archive(zipped(files))
    assert [finding.rule for finding in archive.findings] == ["xdm.metadata-unreadable"]
    assert [(document.content, document.entry) for document in archive.documents] == [(CDA, None)]
    del files["IHE_XDM/SUBSET01/METADATA.XML"]
    archive = read_archive(zipped(files))
    assert [finding.rule for finding in archive.findings] == ["xdm.metadata-missing"] and len(archive.documents) == 1


def test_two_patients_in_one_archive_are_told() -> None:
    files = files_of(written())
    other = write_metadata(replace(SUBMISSION, patient_id="x"), [replace(ENTRY, patient_id="x")])
    files["IHE_XDM/SUBSET02/METADATA.XML"] = other
    files["IHE_XDM/SUBSET02/DOC0001.XML"] = CDA
    assert "xdm.several-patients" in rules_of(zipped(files))
    assert len(read_archive(zipped(files)).documents) == 2


def refused(raw: bytes) -> str:
    with pytest.raises(UnsafeArchive) as caught:
        read_archive(raw)
    return caught.value.rule


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../b", "a//b", "a\\b", "C:/x", "./x", "a\nb"])
def test_names_that_leave_their_folder_are_refused(name: str) -> None:
    assert refused(zipped({name: b"x"})) == "xdm.unsafe-name"


def test_a_file_that_grows_without_measure_is_refused() -> None:
    assert refused(zipped({"a": b"\0" * (RATIO_FLOOR * 10)})) == "xdm.bomb"


def test_a_size_that_lies_does_not_help() -> None:
    raw = bytearray(zipped({"a": b"\0" * (RATIO_FLOOR * 10)}))
    at = raw.rfind(b"PK\x01\x02")
    raw[at + 24 : at + 28] = (10).to_bytes(4, "little")
    assert refused(bytes(raw)) in ("xdm.bomb", "xdm.unreadable")


def test_archives_inside_archives_are_refused() -> None:
    assert refused(zipped({"a": zipped({"b": b"c"})})) == "xdm.nested"
    assert refused(zipped({"a.Zip": b"c"})) == "xdm.nested"


def test_too_many_files_are_refused() -> None:
    assert refused(zipped({f"f{number}": b"" for number in range(MAX_FILES + 1)})) == "xdm.too-many-files"


def test_links_are_refused() -> None:
    info = zipfile.ZipInfo("link")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, b"/etc/passwd")
    assert refused(buffer.getvalue()) == "xdm.link"


def test_names_that_differ_by_case_alone_are_refused() -> None:
    assert refused(zipped({"A.XML": b"1", "a.xml": b"2"})) == "xdm.duplicate-name"


def test_encrypted_and_overlapping_files_are_refused() -> None:
    raw = bytearray(zipped({"a": b"1", "b": b"2"}))
    first = raw.find(b"PK\x01\x02")
    second = raw.find(b"PK\x01\x02", first + 4)
    encrypted = bytearray(raw)
    encrypted[first + 8] |= 1
    assert refused(bytes(encrypted)) == "xdm.encrypted"
    raw[second + 42 : second + 46] = raw[first + 42 : first + 46]
    assert refused(bytes(raw)) == "xdm.overlap"


@given(st.binary(max_size=300))
def test_any_bytes_are_an_archive_or_a_typed_error(raw: bytes) -> None:
    with pytest.raises(UnsafeArchive):
        read_archive(raw)


@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=8))
def test_a_damaged_archive_is_read_with_findings_or_a_typed_error(at: int, damage: bytes) -> None:
    raw = bytearray(written())
    raw[at % len(raw) : at % len(raw) + len(damage)] = damage
    try:
        read_archive(bytes(raw))
    except UnsafeArchive as error:
        assert error.rule.startswith("xdm.")
