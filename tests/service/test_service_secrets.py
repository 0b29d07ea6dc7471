"""Secrets by reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from liaison.adapters.webhook import Webhook, WebhookSettings
from liaison.service.kinds import build_destination
from liaison.service.loader import read_configuration
from liaison.service.secrets import SecretError, is_reference, secret_path, secret_text


def test_a_file_an_environment_variable_and_a_credential_give_their_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "smtp").write_text("s3cret\n", "utf-8")
    monkeypatch.setenv("SMTP_PASSWORD", "s3cret")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    for reference in ("file:smtp", f"file:{tmp_path}/smtp", "env:SMTP_PASSWORD", "credential:smtp"):
        assert secret_text(reference, tmp_path) == "s3cret"


@pytest.mark.parametrize(
    "reference", ["hunter2", "file:", "env:ABSENT_HERE", "file:absent", "credential:x", "vault:x", "file:empty", "file:binary"]
)
def test_what_leads_nowhere_is_told_without_the_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    (tmp_path / "empty").write_bytes(b"\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(SecretError) as caught:
        secret_text(reference, tmp_path)
    assert caught.value.message and caught.value.remedy and "hunter2" not in str(caught.value)


def test_a_credential_cannot_climb_out_of_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    for name in ("../x", "a/b", ".."):
        with pytest.raises(SecretError):
            secret_path(f"credential:{name}", tmp_path)


def test_only_the_three_kinds_are_references() -> None:
    assert all(map(is_reference, ("file:x", "env:X", "credential:x")))
    assert not any(map(is_reference, ("", "x", "file:", "https://x", "Env:x")))


def test_a_destination_is_built_with_its_secret_and_the_configuration_keeps_the_reference(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc", "utf-8")
    text = '[destinations.p]\nkind = "webhook"\nurl = "http://127.0.0.1:9/"\ntoken = "file:token"\n'
    destination = read_configuration(text, path=None, folder=tmp_path).destinations["p"]
    assert isinstance(destination.settings, WebhookSettings) and destination.settings.token == "file:token"
    built = build_destination(destination, tmp_path)
    assert isinstance(built, Webhook) and built.settings.token == "abc"
