"""Folders: what is taken, when, by whom; what is written, and how whole."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import msgspec
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from liaison.adapters.budget import ByteBudget, Reader
from liaison.adapters.folder import FolderSource, FolderSourceSettings
from liaison.adapters.folder_write import FolderDestination, FolderDestinationSettings
from liaison.hl7.batch import split_batch
from liaison.hub.contracts import Answer, Delivered, Parcel, Sender, Unavailable, Verdict
from liaison.mssante.container import unpack
from liaison.sidefile.pair import Pair, find_pair


class Hub:
    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.verdict = Verdict.ACCEPTED
        self.fault: Exception | None = None

    async def receive(self, message: bytes, sender: Sender) -> Answer:
        if self.fault is not None:
            raise self.fault
        self.taken.append(message)
        return Answer(verdict=self.verdict, reply=b"", message_id="m-1")


def source(folder: Path, **settings: object) -> FolderSource:
    chosen = msgspec.convert({"path": str(folder), "interval": 0.01, **settings}, FolderSourceSettings)
    opened = FolderSource("depot", chosen, ByteBudget(10_000_000))
    opened.open()
    return opened


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def look_twice(watching: FolderSource, hub: Hub) -> int:
    await watching.look(hub.receive)
    return await watching.look(hub.receive)


async def test_a_file_is_taken_once_two_looks_found_it_unchanged(tmp_path: Path) -> None:
    hub, watching = Hub(), source(tmp_path)
    (tmp_path / "a.hl7").write_bytes(b"half")
    assert await watching.look(hub.receive) == 0
    (tmp_path / "a.hl7").write_bytes(b"half and half")
    assert await watching.look(hub.receive) == 0
    assert await watching.look(hub.receive) == 1
    assert hub.taken == [b"half and half"]
    assert names(tmp_path / "done") == ["a.hl7"]
    assert names(tmp_path / ".claimed") == []


async def test_names_still_being_written_hidden_ones_and_folders_are_left_alone(tmp_path: Path) -> None:
    hub, watching = Hub(), source(tmp_path)
    for name in ("a.hl7.part", "b.TMP", ".c.hl7", "d.filepart"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    assert await look_twice(watching, hub) == 0
    (tmp_path / "a.hl7.part").rename(tmp_path / "a.hl7")
    assert await look_twice(watching, hub) == 1


@pytest.mark.parametrize("name", [b"x" * 255, b"l\xe9tour\xff.hl7", "né à Dax ~ 1.hl7".encode()])
async def test_no_file_name_stops_the_others(tmp_path: Path, name: bytes) -> None:
    hub, watching = Hub(), source(tmp_path)
    (tmp_path / os.fsdecode(name)).write_bytes(b"odd")
    (tmp_path / "z").write_bytes(b"plain")
    assert await look_twice(watching, hub) == 2
    hub.verdict = Verdict.QUARANTINED
    (tmp_path / os.fsdecode(name)).write_bytes(b"odd")
    assert await look_twice(watching, hub) == 1
    assert len(names(tmp_path / "refused")) == 2


async def test_the_oldest_file_goes_first(tmp_path: Path) -> None:
    hub, watching = Hub(), source(tmp_path)
    for name, date in (("a", 3), ("b", 1), ("c", 2)):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (date, date))
    assert await look_twice(watching, hub) == 3
    assert hub.taken == [b"b", b"c", b"a"]


ADMISSION = b"MSH|^~\\&|A|||||||%d\rPID|1\r"
SIDE = b'{"patient": {"ipp": "1"}}'
PDF = b"%PDF-1.4 ..."


class Answering(Hub):
    """Answers each message with its own reply; the ones with a fault are quarantined."""

    def __init__(self, bad: bytes = b"no message holds this") -> None:
        super().__init__()
        self.bad = bad
        self.senders: list[Sender] = []

    async def receive(self, message: bytes, sender: Sender) -> Answer:
        self.taken.append(message)
        self.senders.append(sender)
        kept = sender.fault is not None or self.bad in message
        number = len(self.taken)
        reply = b"MSH|^~\\&|B\rMSA|%b|%d\r" % (b"AE" if kept else b"AA", number)
        return Answer(verdict=Verdict.QUARANTINED if kept else Verdict.ACCEPTED, reply=reply, message_id=f"m-{number}")


async def test_the_answer_is_written_beside_what_was_taken(tmp_path: Path) -> None:
    hub, watching = Answering(), source(tmp_path)
    (tmp_path / "a.hl7").write_bytes(ADMISSION % 1)
    await look_twice(watching, hub)
    assert names(tmp_path / "done") == ["a.hl7", "a.hl7.ack"]
    assert (tmp_path / "done" / "a.hl7.ack").read_bytes() == b"MSH|^~\\&|B\rMSA|AA|1\r"
    assert [sender.file for sender in hub.senders] == [True]


async def test_each_message_of_a_batch_has_its_own_answer_and_one_bad_one_is_named(tmp_path: Path) -> None:
    hub, watching = Answering(bad=b"||3\r"), source(tmp_path)
    messages = [ADMISSION % number for number in range(1, 6)]
    (tmp_path / "lot.hl7").write_bytes(b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + b"".join(messages) + b"BTS|5\rFTS|1\r")
    await look_twice(watching, hub)
    assert hub.taken == messages
    assert names(tmp_path / "refused") == ["lot.hl7", "lot.hl7.ack", "lot.hl7.txt"]
    acknowledged = split_batch((tmp_path / "refused" / "lot.hl7.ack").read_bytes())
    assert [b"MSA|AE" in reply for reply in acknowledged.messages] == [False, False, True, False, False]
    told = (tmp_path / "refused" / "lot.hl7.txt").read_text("utf-8")
    assert "1 message(s) sur 5" in told and "le 3e (message m-3)" in told


async def test_the_last_message_of_a_batch_that_was_cut_is_kept_and_not_acted_upon(tmp_path: Path) -> None:
    hub, watching = Answering(), source(tmp_path)
    (tmp_path / "lot").write_bytes(b"BHS|^~\\&|A\r" + ADMISSION % 1 + (ADMISSION % 2)[:-4])
    await look_twice(watching, hub)
    assert [sender.fault.rule if sender.fault else "" for sender in hub.senders] == ["", "hl7.batch-unclosed"]
    assert names(tmp_path / "refused") == ["lot", "lot.ack", "lot.txt"]


async def test_what_is_wrong_with_a_batch_goes_with_its_first_message(tmp_path: Path) -> None:
    hub, watching = Answering(), source(tmp_path)
    (tmp_path / "lot").write_bytes(b"BHS|^~\\&|A\r" + ADMISSION % 1 + ADMISSION % 2 + b"BTS|7\r")
    await look_twice(watching, hub)
    assert [[finding.rule for finding in sender.noticed] for sender in hub.senders] == [["hl7.batch-count"], []]
    assert names(tmp_path / "done") == ["lot", "lot.ack"]


@pytest.mark.parametrize("raw", [b"BHS|^~\\&|A\rBTS|0\r", b"\x0bMSH|^~\\&|A|||||||1\r"])
async def test_a_batch_without_one_whole_message_is_kept_whole(tmp_path: Path, raw: bytes) -> None:
    hub, watching = Answering(), source(tmp_path)
    (tmp_path / "lot").write_bytes(raw)
    await look_twice(watching, hub)
    assert hub.taken == [raw] and hub.senders[0].fault is not None
    assert (tmp_path / "refused" / "lot").exists()


async def test_a_batch_put_off_in_its_middle_has_its_turn_again_whole(tmp_path: Path) -> None:
    hub, watching = Hub(), source(tmp_path)
    (tmp_path / "lot").write_bytes(ADMISSION % 1 + ADMISSION % 2)
    hub.verdict = Verdict.REFUSED
    assert await look_twice(watching, hub) == 0
    assert hub.taken == [ADMISSION % 1] and names(tmp_path / "done") == []
    hub.verdict = Verdict.ACCEPTED
    assert await watching.look(hub.receive) == 1
    assert hub.taken[1:] == [ADMISSION % 1, ADMISSION % 2]


@pytest.mark.parametrize(("pdf", "side"), [("a.pdf", "a.json"), ("lettre.1.PDF", "lettre.1.csv"), ("b.json", "b.pdf")])
async def test_a_pdf_goes_with_its_side_file_whatever_their_endings_say(tmp_path: Path, pdf: str, side: str) -> None:
    hub, watching = Answering(), source(tmp_path)
    (tmp_path / pdf).write_bytes(PDF)
    assert await look_twice(watching, hub) == 0, "it waits"
    (tmp_path / side).write_bytes(SIDE)
    assert await look_twice(watching, hub) == 1
    (raw,) = hub.taken
    assert find_pair(unpack(raw)) == Pair(pdf=PDF, side=SIDE)
    assert set(names(tmp_path / "done")) >= {pdf, side}
    assert names(tmp_path / ".claimed") == []


@pytest.mark.parametrize("content", [PDF, SIDE])
async def test_half_of_a_pair_is_taken_alone_once_it_has_waited(tmp_path: Path, content: bytes) -> None:
    hub, watching = Answering(), source(tmp_path, pair_wait=0)
    (tmp_path / "a.pdf").write_bytes(content)
    assert await look_twice(watching, hub) == 1
    assert hub.taken == [content]


async def test_a_pair_half_claimed_by_a_hub_that_died_is_whole_again(tmp_path: Path) -> None:
    (tmp_path / ".claimed").mkdir()
    (tmp_path / ".claimed" / "0123456789abcdef~a.pdf").write_bytes(PDF)
    (tmp_path / "a.json").write_bytes(SIDE)
    hub, watching = Answering(), source(tmp_path)
    assert await look_twice(watching, hub) == 1
    assert find_pair(unpack(hub.taken[0])) is not None


async def test_a_pair_claimed_by_a_hub_that_died_is_taken_at_the_next_start(tmp_path: Path) -> None:
    (tmp_path / ".claimed").mkdir()
    (tmp_path / ".claimed" / "0123456789abcdef~a.pdf").write_bytes(PDF)
    (tmp_path / ".claimed" / "0123456789abcdef~a.json").write_bytes(SIDE)
    hub, watching = Answering(), source(tmp_path)
    assert await watching.look(hub.receive) == 1
    assert set(names(tmp_path / "done")) == {"a.json", "a.json.ack", "a.pdf"}


async def test_what_was_taken_can_be_deleted(tmp_path: Path) -> None:
    hub, watching = Hub(), source(tmp_path, after="delete")
    (tmp_path / "a").write_bytes(b"x")
    assert await look_twice(watching, hub) == 1
    assert names(tmp_path) == [".claimed", "done", "refused"]
    assert names(tmp_path / "done") == []


async def test_a_quarantined_file_goes_to_refused_with_the_reason_beside_it(tmp_path: Path) -> None:
    hub, watching = Hub(), source(tmp_path)
    hub.verdict = Verdict.QUARANTINED
    (tmp_path / "a.hl7").write_bytes(b"x")
    with structlog.testing.capture_logs() as logs:
        await look_twice(watching, hub)
    assert names(tmp_path / "refused") == ["a.hl7", "a.hl7.txt"]
    assert "m-1" in (tmp_path / "refused" / "a.hl7.txt").read_text("utf-8")
    assert logs
    assert not any("a.hl7" in str(entry) for entry in logs)


async def test_the_same_name_again_overwrites_nothing(tmp_path: Path) -> None:
    hub, watching = Hub(), source(tmp_path)
    for content in (b"1", b"2"):
        (tmp_path / "a.hl7").write_bytes(content)
        await look_twice(watching, hub)
    assert {path.read_bytes() for path in (tmp_path / "done").iterdir()} == {b"1", b"2"}
    hub.verdict = Verdict.QUARANTINED
    for content in (b"3", b"4"):
        (tmp_path / "a.hl7").write_bytes(content)
        await look_twice(watching, hub)
    kept = [path.read_bytes() for path in (tmp_path / "refused").iterdir() if path.suffix != ".txt"]
    assert sorted(kept) == [b"3", b"4"]


async def test_a_link_is_refused_and_what_it_points_to_is_never_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "a.hl7").symlink_to(secret)
    os.mkfifo(inbox / "pipe.hl7")
    hub, watching = Hub(), source(inbox)
    assert await look_twice(watching, hub) == 2
    assert hub.taken == []
    assert "lien" in (inbox / "refused" / "a.hl7.txt").read_text("utf-8")
    assert secret.read_bytes() == b"secret"


async def test_a_subfolder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "done").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotADirectoryError, match="done"):
        source(tmp_path / "inbox")


async def test_a_file_beyond_the_limit_is_refused_unread(tmp_path: Path) -> None:
    hub, watching = Hub(), source(tmp_path, max_size=3)
    (tmp_path / "a").write_bytes(b"1234")
    (tmp_path / "b").write_bytes(b"123")
    await look_twice(watching, hub)
    assert hub.taken == [b"123"]
    assert "3 octets" in (tmp_path / "refused" / "a.txt").read_text("utf-8")


async def test_a_file_claimed_by_a_hub_that_died_is_taken_at_the_next_start(tmp_path: Path) -> None:
    (tmp_path / ".claimed").mkdir()
    (tmp_path / ".claimed" / "0123456789abcdef~a.hl7").write_bytes(b"left over")
    hub, watching = Hub(), source(tmp_path)
    assert await watching.look(hub.receive) == 1
    assert hub.taken == [b"left over"]
    assert names(tmp_path / "done") == ["a.hl7"]


async def test_a_file_that_the_hub_could_not_take_stays_and_has_its_turn_again(tmp_path: Path) -> None:
    hub, watching = Hub(), source(tmp_path)
    hub.fault = RuntimeError("journal")
    (tmp_path / "a.hl7").write_bytes(b"x")
    assert await look_twice(watching, hub) == 0
    assert len(names(tmp_path / ".claimed")) == 1
    hub.fault = None
    assert await watching.look(hub.receive) == 1
    assert hub.taken == [b"x"]


async def test_a_file_refused_for_now_has_its_turn_again(tmp_path: Path) -> None:
    hub, watching = Hub(), source(tmp_path)
    hub.verdict = Verdict.REFUSED
    (tmp_path / "a.hl7").write_bytes(b"x")
    assert await look_twice(watching, hub) == 0
    hub.verdict = Verdict.ACCEPTED
    assert await watching.look(hub.receive) == 1
    assert names(tmp_path / "done") == ["a.hl7"]


async def test_a_file_waits_for_room_in_the_budget(tmp_path: Path) -> None:
    class Other:
        unfinished = large = False

        def resume(self) -> None:
            raise AssertionError

    paused = asyncio.Event()

    class Watched(ByteBudget):
        def must_pause(self, reader: Reader) -> bool:
            pause = super().must_pause(reader)
            if pause:
                paused.set()
            return pause

    budget, other, hub = Watched(100), Other(), Hub()
    watching = FolderSource("depot", FolderSourceSettings(path=str(tmp_path)), budget)
    watching.open()
    (tmp_path / "a.hl7").write_bytes(b"x")
    await watching.look(hub.receive)
    budget.acquire(100)
    budget.begin(other)
    looking = asyncio.create_task(watching.look(hub.receive))
    await paused.wait()
    assert hub.taken == []
    budget.end(100)
    assert await looking == 1
    assert budget.held == 0


async def test_two_hubs_on_one_folder_take_each_file_once(tmp_path: Path) -> None:
    hub = Hub()
    first, second = source(tmp_path), source(tmp_path)
    for number in range(20):
        (tmp_path / str(number)).write_text(str(number))
    await first.look(hub.receive)
    await second.look(hub.receive)
    await asyncio.gather(first.look(hub.receive), second.look(hub.receive))
    assert sorted(hub.taken, key=int) == [str(number).encode() for number in range(20)]


async def test_stopping_finishes_the_file_being_received(tmp_path: Path) -> None:
    arrived, gate = asyncio.Event(), asyncio.Event()

    async def receive(message: bytes, sender: Sender) -> Answer:
        arrived.set()
        await gate.wait()
        return Answer(verdict=Verdict.ACCEPTED, reply=b"")

    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"x")
    watching = source(tmp_path)
    running = asyncio.create_task(watching.run(receive))
    await arrived.wait()
    running.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert len(names(tmp_path / "done")) == 1
    assert len([name for name in names(tmp_path) if name in "ab"]) == 1


async def test_a_folder_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    watching = FolderSource("depot", FolderSourceSettings(path=str(tmp_path / "none")), ByteBudget(1))
    with pytest.raises(NotADirectoryError, match=r"sources\.depot"):
        await watching.run(Hub().receive)


def parcel(name: str, body: bytes = b"{}", content_type: str = "application/cloudevents+json") -> Parcel:
    return Parcel(id=name, kind="stay.admitted", body=body, content_type=content_type, lane="a", lane_seq=1)


async def test_a_parcel_is_a_file_and_the_same_parcel_again_the_same_file(tmp_path: Path) -> None:
    destination = FolderDestination("export", FolderDestinationSettings(path=str(tmp_path)))
    await destination.probe()
    for _ in range(2):
        assert await destination.deliver(parcel("0197-ab", b'{"a":1}')) == Delivered(reference="0197-ab.json", receipt="accepted")
    await destination.close()
    assert names(tmp_path) == ["0197-ab.json"]
    assert (tmp_path / "0197-ab.json").read_bytes() == b'{"a":1}'


async def test_the_extension_can_be_set_or_follows_the_media_type(tmp_path: Path) -> None:
    fixed = FolderDestination("a", FolderDestinationSettings(path=str(tmp_path), extension=".txt"))
    free = FolderDestination("b", FolderDestinationSettings(path=str(tmp_path)))
    await fixed.deliver(parcel("1"))
    await free.deliver(parcel("2", content_type="message/rfc822; charset=utf-8"))
    await free.deliver(parcel("3", content_type="application/x-unknown"))
    assert names(tmp_path) == ["1.txt", "2.eml", "3.bin"]


@given(st.text(min_size=1, max_size=150))
def test_no_id_whatever_leaves_the_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.mktemp("out")
    destination = FolderDestination("a", FolderDestinationSettings(path=str(folder)))
    outcome = asyncio.run(destination.deliver(parcel(name)))
    assert isinstance(outcome, Delivered)
    assert names(folder) == [outcome.reference]
    assert not outcome.reference.startswith(".")


@pytest.mark.parametrize("name", ["../out", "/etc/passwd", "..", ".hidden", "a/b", "a\0b", "é" * 200])
async def test_ids_that_are_no_file_names_become_digests(tmp_path: Path, name: str) -> None:
    destination = FolderDestination("a", FolderDestinationSettings(path=str(tmp_path)))
    outcome = await destination.deliver(parcel(name))
    assert isinstance(outcome, Delivered)
    assert len(outcome.reference) == 64 + len(".json")
    assert names(tmp_path) == [outcome.reference]


async def test_a_folder_that_went_away_is_unavailable_and_the_probe_says_so(tmp_path: Path) -> None:
    destination = FolderDestination("a", FolderDestinationSettings(path=str(tmp_path / "none")))
    assert isinstance(await destination.deliver(parcel("1")), Unavailable)
    with pytest.raises(NotADirectoryError, match="none"):
        await destination.probe()


@pytest.mark.parametrize(
    ("settings", "kind", "fault"),
    [
        ({"path": "relative"}, FolderSourceSettings, "path"),
        ({"path": "/in", "interval": 0}, FolderSourceSettings, "interval"),
        ({"path": "/in", "after": "burn"}, FolderSourceSettings, "after"),
        ({"path": "/in", "max_siz": 1}, FolderSourceSettings, "max_siz"),
        ({"path": "relative"}, FolderDestinationSettings, "path"),
        ({"path": "/out", "extension": "../x"}, FolderDestinationSettings, "extension"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_by_name(settings: dict[str, object], kind: type, fault: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=fault):
        msgspec.convert(settings, kind)
