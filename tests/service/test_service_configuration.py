"""Reading liaison.toml: what a good one gives, and what is said of a bad one, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from liaison.adapters.folder_write import FolderDestinationSettings
from liaison.adapters.mllp_settings import MllpListenSettings
from liaison.adapters.smtp import SmtpSettings
from liaison.service.configuration import Configuration, ConfigurationError, Fault
from liaison.service.loader import load_configuration, make_default_folders, read_configuration
from liaison.service.production import MISSING
from liaison.service.speakers import profiles

GOOD = """\
[hub]
name = "Landes"
territory = "test"
journal = "sqlite:////var/lib/liaison/journal.db"
keys = "file:/var/lib/liaison-keys/keys"
bus = "embedded"

[sources.ch-mont-de-marsan]
kind = "mllp"
listen = "127.0.0.1:2575"
finess = "400011177"
tls = "none"
mode = "live"

[destinations.platform]
kind = "webhook"
url = "http://127.0.0.1:9000/events"

[destinations.promess]
kind = "smtp"
server = "127.0.0.1:2525"
tls = "none"
sender = "liaison@na.mssante.fr"

[[routes]]
events = ["stay.*", "identity.*", "document.*"]
to = "platform"
patients = "all"

[[routes]]
documents = ["11490-0", "11488-4"]
to = "promess"
recipients = ["named", "treating-physician"]
"""


def read(text: str, folder: Path = Path("/etc/liaison")) -> Configuration:
    return read_configuration(text, path=folder / "liaison.toml", folder=folder)


def faults(text: str) -> tuple[Fault, ...]:
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    for fault in caught.value.faults:
        assert f"ligne {fault.line}" in str(caught.value)
    return caught.value.faults


def only(text: str) -> Fault:
    (fault,) = faults(text)
    return fault


def change(old: str, new: str) -> str:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def line_in(text: str, of: str) -> int:
    return text[: text.index(of)].count("\n") + 1


def test_the_whole_file_is_read() -> None:
    configuration = read(GOOD)
    assert configuration.hub.name == "Landes"
    assert configuration.journal_path == Path("/var/lib/liaison/journal.db")
    assert configuration.keys_path == Path("/var/lib/liaison-keys/keys")
    source = configuration.sources["ch-mont-de-marsan"]
    assert isinstance(source.settings, MllpListenSettings) and source.settings.listen == "127.0.0.1:2575"
    profile = profiles(configuration)["ch-mont-de-marsan"]
    assert (profile.source, profile.finess, profile.test_ins) == ("ch-mont-de-marsan", "400011177", True)
    mail = configuration.destinations["promess"]
    assert isinstance(mail.settings, SmtpSettings)
    assert mail.settings.sender == mail.common.sender == "liaison@na.mssante.fr"
    assert [route.to for route in configuration.routes] == ["platform", "promess"]
    assert configuration.known_domains is None and configuration.directory_path is None


def test_letters_take_their_rules_from_the_configuration() -> None:
    configuration = read(GOOD + '[letters]\nflags = "strict"\ndomains = ["Medecin.MSSante.fr"]\n')
    rules = configuration.letter_rules(None)
    assert (rules.policy, rules.territory, rules.routes) == ("strict", "test", configuration.routes)
    assert rules.known_domains == frozenset({"medecin.mssante.fr"})


def test_five_settings_make_a_first_hospital() -> None:
    text = '[sources.ch]\nkind = "mllp"\nlisten = "127.0.0.1:2575"\nfiness = "400011177"\n'
    assert read(text).hub.territory == "test"


def test_without_a_file_there_is_a_whole_configuration_on_loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    configuration = load_configuration()
    assert configuration.path is None and configuration.hub.territory == "test" and not configuration.warnings
    make_default_folders(configuration)
    for destination in configuration.destinations.values():
        assert isinstance(destination.settings, FolderDestinationSettings)
        assert Path(destination.settings.path).is_dir() and tmp_path in Path(destination.settings.path).parents


def test_the_file_of_the_current_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "liaison.toml").write_text(GOOD, "utf-8")
    assert load_configuration().hub.name == "Landes"


def test_relative_paths_stand_beside_the_file() -> None:
    text = (
        change('kind = "smtp"', 'kind = "smtp"\npassword = "file:smtp"\nusername = "x"') + '[letters]\ndirectory = "annuaire.txt"\n'
    )
    text = text.replace('tls = "none"\nsender', 'ca = "igc.pem"\nsender')
    text = text.replace("sqlite:////var/lib/liaison/journal.db", "sqlite:///data/journal.db").replace("file:/var", "file:var")
    configuration = read(text)
    settings = configuration.destinations["promess"].settings
    assert isinstance(settings, SmtpSettings)
    assert (settings.ca, settings.password) == ("/etc/liaison/igc.pem", "file:smtp")
    assert configuration.journal_path == Path("/etc/liaison/data/journal.db")
    assert configuration.keys_path == Path("/etc/liaison/var/lib/liaison-keys/keys")
    assert configuration.directory_path == Path("/etc/liaison/annuaire.txt")


@pytest.mark.parametrize(
    ("old", "new", "key", "said"),
    [
        ("territory =", "teritory =", "teritory", "« territory »"),
        ("listen =", "listten =", "listten", "« listen »"),
        ("to = ", "too = ", None, ""),
        ('territory = "test"', 'territory = "prod"', "territory", '"production"'),
        ('finess = "400011177"', "finess = 400011177", "finess", "texte"),
        ('finess = "400011177"', 'finess = "1234"', "finess", "neuf"),
        ('"sqlite:////var/lib/liaison/journal.db"', '"postgresql://h/liaison"', "journal", "SQLite"),
        ('bus = "embedded"', 'bus = "amqps://h"', "bus", "interne"),
        ('"file:/var/lib/liaison-keys/keys"', '"motdepasse"', "keys", "file:"),
        ('mode = "live"', 'mode = "blanc"', "mode", '"shadow"'),
        ('mode = "live"', 'late_after = "bientôt"', "late_after", "48h"),
        ('mode = "live"', "late_after = 0", "late_after", "secondes"),
        ('mode = "live"', "late_after = true", "late_after", "texte"),
        ('mode = "live"', 'letters = "stop"', "letters", '"observe"'),
        ('name = "Landes"', 'test_patients = ["275116410204508"]', "test_patients", "ins:"),
        ('name = "Landes"', 'test_patients = ["ins:275116410204508"]', "test_patients", "clé"),
        ('name = "Landes"', 'test_patients = ["ipp:800042"]', "test_patients", "AUTORITÉ"),
        ('"liaison@na.mssante.fr"', '"liaison@na.mssante.fr"\nonly_to = ["essai@@mssante.fr"]', "only_to", "essai@na.mssante.fr"),
        ('"liaison@na.mssante.fr"', '"liaison@na.mssante.fr"\nonly_to = ["800042"]', "only_to", "ipp:"),
        ('to = "promess"', 'to = "promess"\nlate = true', "late", "events"),
        ('kind = "webhook"', 'kind = "fax"', "kind", "webhook"),
        ('"http://127.0.0.1:9000/events"', '"http://10.0.0.1/events"', "url", "https"),
        ('"liaison@na.mssante.fr"', '"personne"', "sender", "adresse"),
        ('to = "platform"', 'to = "plateforme"', "to", "platform"),
        ('"identity.*"', '"identité.*"', "events", "identity"),
        ('"identity.*"', '"identity"', "events", "identity"),
        ('to = "promess"', 'to = "promess"\nwait = "10 minutes"', "wait", "10m"),
        ('to = "platform"', 'to = "platform"\nwait = "10m"', "wait", "documents"),
        ('to = "platform"', 'to = "platform"\nunits = ["6268"]', "units", "documents"),
        ('mode = "live"', 'reply_to = "personne"', "reply_to", "liaison@na.mssante.fr"),
        ('mode = "live"', 'unit_senders = { 6268 = { sender = "x" } }', "unit_senders", "liaison@na.mssante.fr"),
        ('mode = "live"', 'unit_senders = { 6268 = { sendr = "x" } }', "unit_senders", ""),
        ('"treating-physician"]', '"traitant"]', "recipients", "named"),
        ('recipients = ["named", "treating-physician"]', "", "recipients", "named"),
        ('to = "promess"', 'to = "platform"', "documents", "smtp"),
        ('to = "promess"', 'to = "promess"\nsources = ["ch-dax"]', "sources", "ch-mont-de-marsan"),
        ('to = "promess"', 'to = "promess"\nevents = ["stay.*"]', "events", "webhook"),
        ('mode = "live"', 'time_zone = "Landes/Dax"', "time_zone", "Europe/Paris"),
        ('mode = "live"', 'authorities = { IPP = "CHMDM" }', "authorities", "finess:"),
    ],
)
def test_a_fault_names_its_key_and_its_line(old: str, new: str, key: str | None, said: str) -> None:
    text = change(old, new) if GOOD.count(old) == 1 else GOOD.replace(old, new, 1)
    found = faults(text)
    if key is None:
        assert {fault.key for fault in found} == {"too", "to"}
        return
    assert [fault.key for fault in found if fault.key == key]
    fault = next(fault for fault in found if fault.key == key)
    assert said in fault.message + fault.remedy
    if new:
        lines = [number for number, line in enumerate(text.split("\n"), 1) if line.split(" =")[0] == key]
        assert fault.line in lines


def test_a_literal_secret_is_refused_and_never_repeated() -> None:
    fault = only(
        change('sender = "liaison@na.mssante.fr"', 'sender = "liaison@na.mssante.fr"\nusername = "x"\npassword = "hunter2"')
    )
    assert fault.key == "password" and "hunter2" not in str(fault) and "file:" in fault.remedy


def test_every_fault_is_told_at_once_in_the_order_of_the_lines() -> None:
    text = change("territory =", "teritory =").replace("listen =", "listten =").replace("url =", "ulr =")
    found = faults(text)
    assert {"teritory", "listten", "ulr", "url", "listen"} == {fault.key for fault in found}
    assert [fault.line for fault in found] == sorted(fault.line for fault in found)


def test_production_is_refused_with_the_list_of_what_is_missing() -> None:
    text = change('territory = "test"', 'territory = "production"')
    found = faults(text)
    fault = next(fault for fault in found if fault.key == "territory")
    assert fault.line == line_in(text, "territory")
    for what, why in MISSING:
        assert what in fault.message and why in fault.message
    assert "basis" in {fault.key for fault in found}


def test_a_bad_name_of_a_source_is_refused() -> None:
    assert "ch mdm" in {fault.key for fault in faults(change("[sources.ch-mont-de-marsan]", '[sources."ch mdm"]'))}


def test_letters_need_an_address_to_leave_from() -> None:
    text = '[destinations.f]\nkind = "folder"\npath = "out"\n[[routes]]\ndocuments = ["*"]\nto = "f"\nrecipients = ["named"]\n'
    fault = only(text)
    assert (fault.line, fault.key) == (6, "to") and "[destinations.f]" in fault.remedy


@pytest.mark.parametrize("text", ["a = ", '[hub]\nname = "x"\nname = "y"\n', "[hub\n", '[hub]\nname = """\n'])
def test_what_is_not_toml_is_told_with_a_line(text: str) -> None:
    assert "TOML" in only(text).message


@pytest.mark.parametrize(
    "text", ["hub = 1", "sources = 1", "routes = 1", "routes = [1]", "[sources]\nx = 1", "letters = []", "z = 1"]
)
def test_a_table_that_is_none_is_refused_without_a_traceback(text: str) -> None:
    assert faults(text)


def test_bytes_that_are_not_utf8_are_told_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "liaison.toml"
    path.write_bytes(b'[hub]\nname = "\xe9"\n')
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path)
    assert caught.value.faults[0].line == 2


def test_plain_mllp_over_a_vpn_is_a_standing_warning() -> None:
    text = change('"127.0.0.1:2575"', '"0.0.0.0:2575"').replace('mode = "live"', 'allow = ["10.1.0.0/16"]')
    (warning,) = read(text).warnings
    assert "clair" in warning and "ch-mont-de-marsan" in warning


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[monitor]\nlisten = "0.0.0.0:9570"', "listen"),
        ('[monitor]\nallow = ["0.0.0.0/0"]', "allow"),
        ("[monitor]\ninterval = 0.0", "interval"),
        ('[alerts]\nto = "mail:a@b.fr"', "server"),
        ('[alerts]\nto = "mail:a@b.fr"\nserver = "smtp.b.fr:25"\nsender = "a@b.fr"\ntls = "none"', "tls"),
        ('[alerts]\nto = "http://elsewhere.fr/hook"', "to"),
        ('[alerts]\nto = "sms:0600000000"', "to"),
        ('[alerts]\npassword = "clear"', "password"),
        ("[alerts]\ndisk = 200.0", "disk"),
        ("[alerts]\nbacklog = 0.0", "backlog"),
    ],
)
def test_what_is_watched_and_who_is_told_must_make_sense(text: str, key: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_configuration(text, path=None, folder=tmp_path)
    (fault,) = caught.value.faults
    assert fault.key == key and fault.message


def test_off_loopback_a_certificate_or_an_allow_list_will_do(tmp_path: Path) -> None:
    for more in ('allow = ["10.2.0.0/16"]', 'certificate = "hub.pem"'):
        text = f'[monitor]\nlisten = "0.0.0.0:9570"\n{more}\n'
        assert read_configuration(text, path=None, folder=tmp_path).monitor.listen == "0.0.0.0:9570"
