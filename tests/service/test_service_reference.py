"""The reference page says what the declarations say."""

from __future__ import annotations

from pathlib import Path

from liaison.service.kinds import DESTINATION_KINDS, SOURCE_KINDS
from liaison.service.reference import reference_page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"


def test_the_page_is_the_one_that_the_declarations_make() -> None:
    assert PAGE.read_text("utf-8") == reference_page(), "run: python -m liaison.service.reference > docs/reference/configuration.md"


def test_every_key_of_every_kind_is_explained() -> None:
    page = reference_page()
    settings = [kind.settings for kind in SOURCE_KINDS.values()] + [kind.settings for kind in DESTINATION_KINDS.values()]
    for each in settings:
        for field in each.__struct_fields__:
            rows = [line for line in page.splitlines() if line.startswith(f"| `{field}` |")]
            assert rows and all(row.split(" | ")[3].strip(" |") for row in rows), field
