"""Where keys stand in a TOML text."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from liaison.service.toml_lines import key_lines, line_of

TEXT = '''\
# comment = 1
[hub]
name = "a = b [c]"   # note = 2
long = """
fake = 1
[fake]
"""
list = [
  "x = 1", # y = [
  { z = 1 },
]
after = 'it''s'

[sources."ch.x"]
a.b = 1
[[routes]]
to = "a"
[[routes]]
to = "b"
[routes.inner]
deep = true
'''


def test_tables_keys_and_arrays_of_tables_have_their_line() -> None:
    lines = key_lines(TEXT.replace("'it''s'", "'its'"))
    assert lines[("hub",)] == 2
    assert lines[("hub", "name")] == 3
    assert lines[("hub", "long")] == 4
    assert lines[("hub", "list")] == 8
    assert lines[("hub", "after")] == 12
    assert lines[("sources", "ch.x", "a", "b")] == 15
    assert (lines[("routes", "0", "to")], lines[("routes", "1", "to")]) == (17, 19)
    assert lines[("routes", "1", "inner", "deep")] == 21
    assert not [path for path in lines if "fake" in path or "comment" in path or "z" in path]


def test_a_key_that_is_not_there_has_the_line_of_its_table() -> None:
    lines = key_lines(TEXT.replace("'it''s'", "'its'"))
    assert line_of(lines, ("hub", "absent")) == 2
    assert line_of(lines, ("nowhere", "at", "all")) == 1


values = st.sampled_from(['"a = b"', "'[x]'", "1", "true", "[\n 1,\n 2 ]", '"""\nx = 1\n"""', "{ k = 1 }", '["a#b", "]"]'])
names = st.from_regex(r"[a-z]{1,4}", fullmatch=True)
tables = st.dictionaries(names, st.dictionaries(names, values, max_size=4), max_size=5)


@given(tables)
def test_every_key_of_a_valid_text_is_found_on_its_own_line(content: dict[str, dict[str, str]]) -> None:
    text = ""
    expected: dict[tuple[str, ...], int] = {}
    for table, keys in content.items():
        expected[(table,)] = text.count("\n") + 1
        text += f"[{table}]\n"
        for key, value in keys.items():
            expected[(table, key)] = text.count("\n") + 1
            text += f"{key} = {value}  # {key} = 0\n"
    tomllib.loads(text)
    assert dict(key_lines(text)) == expected


@given(st.text(alphabet="[]{}=\"'\\#\n ab.", max_size=60))
def test_no_text_makes_it_fail(text: str) -> None:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    key_lines(text)
