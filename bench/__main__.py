"""``python -m bench burst|large|drain|day|post|directory|reading|conformance|full|all``: prints Markdown tables for bench/README.md."""

from __future__ import annotations

from pathlib import Path

import click

from bench.burst import burst, sustained
from bench.conformance import EXPORT, NO_LETTERS, conformance
from bench.day import day
from bench.directory import directory
from bench.full import full
from bench.large import large
from bench.mix import LETTERS_EVERY
from bench.post import post
from bench.reading import reading
from bench.report import machine

WORK = Path(__file__).with_name(".work")


def numbers(_: click.Context, __: click.Parameter, text: str) -> tuple[int, ...]:
    return tuple(int(one) for one in text.split(","))


@click.command()
@click.argument(
    "what",
    type=click.Choice(["burst", "large", "drain", "day", "post", "directory", "reading", "conformance", "full", "all"]),
    default="all",
)
@click.option("--seconds", default=60.0, show_default=True, help="How long each row is measured.")
@click.option("--connections", default="1,4,16,64", show_default=True, callback=numbers, help="Of the bursts.")
@click.option(
    "--rates", default="500,1000", show_default=True, callback=numbers, help="Messages a second that drain and day offer."
)
@click.option("--size", default=600_000, show_default=True, help="Bytes of a large message.")
def main(what: str, seconds: float, connections: tuple[int, ...], rates: tuple[int, ...], size: int) -> None:
    """Measure a whole hub from outside; ``full`` fills 22 GB of disk for a moment, and is not part of ``all``."""
    WORK.mkdir(exist_ok=True)
    click.echo(f"{machine(WORK)}; {seconds:g} s a row\n")
    if what in ("burst", "all"):
        burst(WORK, seconds, connections)
        click.echo()
    if what in ("drain", "all"):
        sustained(WORK, seconds, rates)
        click.echo()
    if what in ("day", "all"):
        day(WORK, seconds, rates)
        click.echo()
    if what in ("post", "all"):
        post(WORK, seconds, 15.0, 40)
        click.echo()
    if what in ("large", "all"):
        large(WORK, seconds, (1, 4), size)
        click.echo()
    if what == "full":
        full(WORK, seconds, 3_000_000)
        click.echo()
    if what in ("directory", "all"):
        directory(WORK)
        click.echo()
    if what in ("reading", "all"):
        reading()
        click.echo()
    if what in ("conformance", "all"):
        EXPORT.head()
        for letters_every in (NO_LETTERS, LETTERS_EVERY):
            conformance(WORK, letters_every=letters_every)


if __name__ == "__main__":
    main()
