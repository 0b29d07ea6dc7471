"""Secrets by reference: ``file:/run/secrets/smtp``, ``env:SMTP_PASSWORD``, ``credential:smtp`` (systemd). Never in the file itself."""

from __future__ import annotations

import os
from pathlib import Path

#: Systemd puts a unit's credentials in this folder (systemd.exec, ``LoadCredential=``).
CREDENTIALS = "CREDENTIALS_DIRECTORY"
_MAX_SECRET = 64 * 1024


class SecretError(Exception):
    """The reference is none, or leads nowhere. ``message`` and ``remedy`` are French and never hold the secret."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message} {remedy}")
        self.message = message
        self.remedy = remedy


def secret_path(reference: str, folder: Path) -> Path:
    """The file that a ``file:`` or ``credential:`` reference names; relative files are looked for in ``folder``.

    Raises :class:`SecretError`.
    """
    kind, name = _split(reference)
    if kind == "file":
        return folder / name
    if kind == "credential":
        directory = os.environ.get(CREDENTIALS)
        if not directory:
            raise SecretError(
                "Aucun identifiant systemd n'est fourni à ce processus.", "Ajouter LoadCredential= à l'unité systemd."
            )
        if "/" in name or name.startswith("."):
            raise SecretError("Le nom après credential: n'est pas un nom simple.", "Écrire credential:NOM, sans chemin.")
        return Path(directory) / name
    raise SecretError("Une référence env: ne peut pas désigner un fichier.", "Écrire file:CHEMIN ou credential:NOM.")


def secret_text(reference: str, folder: Path) -> str:
    """The secret itself, without the end of line that editors add. Raises :class:`SecretError`."""
    kind, name = _split(reference)
    if kind == "env":
        value = os.environ.get(name)
        if not value:
            raise SecretError(f"La variable d'environnement {name} est absente ou vide.", "La définir avant de lancer liaison.")
        return value
    path = secret_path(reference, folder)
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_SECRET + 1)
        text = raw.decode("utf-8").rstrip("\r\n")
    except OSError as error:
        raise SecretError(f"Le fichier {path} ne peut être lu ({error.strerror}).", "Vérifier le chemin et les droits.") from error
    except UnicodeDecodeError:
        raise SecretError(f"Le fichier {path} n'est pas du texte UTF-8.", "Y écrire le secret seul.") from None
    if not text or len(raw) > _MAX_SECRET:
        raise SecretError(f"Le fichier {path} est vide ou trop grand.", "Y écrire le secret seul.")
    return text


def is_reference(text: str) -> bool:
    """Whether the text has the form of a reference, whatever it leads to."""
    kind, colon, name = text.partition(":")
    return bool(colon and name and kind in ("file", "env", "credential"))


def _split(reference: str) -> tuple[str, str]:
    if not is_reference(reference):
        raise SecretError(
            "Un secret ne s'écrit pas en clair dans la configuration.",
            "Écrire une référence : file:CHEMIN, env:VARIABLE ou credential:NOM.",
        )
    kind, _, name = reference.partition(":")
    return kind, name
