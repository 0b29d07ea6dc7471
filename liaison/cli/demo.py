"""``liaison demo``: hospitals, hub, platform and a GP's mailbox on this machine, to be watched in a page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
import uvloop

from liaison.demo.pace import SPEEDS
from liaison.demo.run import PORT, HubUnderDemo, Observe, run_demo
from liaison.demo.scene import Json
from liaison.service.explaining import FileExplainer
from liaison.service.loader import load_configuration
from liaison.service.logs import configure_logs
from liaison.service.running import RunningHub


class _Explains:
    """What the demonstration asks of a running hub."""

    def explain(self, raw: bytes) -> list[Json]:
        """What the hub would make of a visitor's file, from an empty journal."""
        explainer = FileExplainer(None, now=datetime.now(UTC))
        return [explained.as_json() for explained in explainer.explain(raw)]


@asynccontextmanager
async def _open_hub(toml: Path, observe: Observe) -> AsyncGenerator[HubUnderDemo]:
    configuration = await asyncio.to_thread(load_configuration, toml)
    async with RunningHub(configuration, on_message=observe):
        yield _Explains()


@click.command(short_help="Voir la plateforme à l'œuvre, sur cette machine.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Port de la page.")
@click.option(
    "--speed",
    type=click.Choice([str(speed) for speed in SPEEDS if speed]),
    default="1",
    show_default=True,
    help="Accélération du temps au départ.",
)
@click.option("--seed", type=int, default=None, help="Graine du tirage, pour revoir les mêmes patients.")
def demo(port: int, speed: str, seed: int | None) -> None:
    """Lancer des hôpitaux d'essai, la plateforme, une coordination et une boîte aux lettres de médecin, et une page qui montre tout."""
    configure_logs(level=50)
    uvloop.run(run_demo(_open_hub, port=port, speed=int(speed), seed=seed, started=_started))


def _started(address: str) -> None:
    click.echo(f"La démonstration tourne : ouvrez {address} dans un navigateur.")
    click.echo("Patients, médecins et adresses sont inventés ; rien ne quitte cette machine. Ctrl-C pour arrêter.")
