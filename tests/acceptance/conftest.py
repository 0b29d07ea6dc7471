"""What the stories share: hubs of their own, a recording platform, a GP's mail server, the corpus where there is one."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from tests.acceptance import letters
from tests.servers.hub import Hub, MakeHub
from tests.servers.mailbox import Mailbox
from tests.servers.ports import free_port
from tests.servers.postfix import postfix, require_postfix
from tests.servers.recorder import Recorder


@pytest.fixture
def make_hub(tmp_path: Path) -> Generator[MakeHub]:
    """Makes hubs from configurations, each in a folder of its own; ends them after the test."""
    made: list[Hub] = []

    def make(configuration: str) -> Hub:
        folder = tmp_path / f"hub-{len(made)}"
        folder.mkdir()
        made.append(Hub(folder, configuration))
        return made[-1]

    yield make
    for hub in made:
        hub.end()


@pytest.fixture
def port() -> int:
    """Where a hub of the test listens."""
    return free_port()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def platform(recorder: Recorder) -> AsyncGenerator[str]:
    """URL of a platform that records."""
    async with recorder.serve() as url:
        yield url


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


#: Whom the letters of the stories are for.
RECIPIENTS = (
    "adam.hoda@test-ci-sis.mssante.fr",
    "279035121518989@patient.mssante.fr",
    "dpi@hopitala.mssante.fr",
    letters.GP,
    letters.PATIENT_ADDRESS,
    letters.REFERRER,
    letters.EHPAD,
)


@pytest.fixture(params=["aiosmtpd", "postfix"])
async def submission(request: pytest.FixtureRequest, mailbox: Mailbox) -> AsyncGenerator[int]:
    """Port of a mail server; what it accepts ends in ``mailbox``."""
    async with mailbox.serve() as port:
        if request.param == "aiosmtpd":
            yield port
            return
        require_postfix()
        domains = ", ".join(sorted({address.partition("@")[2] for address in RECIPIENTS}))
        with postfix(domain=domains, recipients=RECIPIENTS, next_hop=port) as relay:
            yield relay


@pytest.fixture
def corpus() -> Path:
    """The corpus of official examples, where the environment names it."""
    place = os.environ.get("LIAISON_CORPUS")
    if place is None:
        pytest.skip("LIAISON_CORPUS is not set: the official examples are not read")
    return Path(place)
