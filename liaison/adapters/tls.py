"""TLS contexts from files named in the configuration: 1.2 at least, certificates always verified."""

from __future__ import annotations

import ssl


def server_context(*, certificate: str, key: str = "", client_ca: str = "") -> ssl.SSLContext:
    """Context of a listener. With ``client_ca``, a peer without a certificate issued by it is not heard.

    Paths are PEM files; an empty ``key`` means that ``certificate`` holds it too.
    Raises ValueError, in French, naming the file.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_chain(context, certificate, key)
    if client_ca:
        _load_authorities(context, client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(*, ca: str = "", certificate: str = "", key: str = "") -> ssl.SSLContext:
    """Context of a client: the authorities of ``ca``, or the system's; ``certificate`` when the server asks for one.

    Raises ValueError, in French, naming the file.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca:
        _load_authorities(context, ca)
    else:
        context.load_default_certs()
    if certificate:
        _load_chain(context, certificate, key)
    return context


def _load_chain(context: ssl.SSLContext, certificate: str, key: str) -> None:
    try:
        context.load_cert_chain(certificate, key or None)
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(f"certificat {certificate} ou clé {key or certificate} illisible : {_why(error)}") from error


def _load_authorities(context: ssl.SSLContext, path: str) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except OSError as error:
        raise ValueError(f"autorités {path} illisibles : {_why(error)}") from error


def _why(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "le fichier n'existe pas"
        case PermissionError():
            return "droits insuffisants"
        case _:
            return "un fichier PEM valide est attendu, et la clé doit être celle du certificat"
