"""A platform that speaks FHIR R4: event declarations of the volet Notification d'évènements (NdE 3.0, flux 3).

A declaration is created on condition that no other has its identifier (R4 §3.1.0.8.1), so that a repeat makes no second one; what
corrects or revokes it is a conditional update on the same identifier (R4 §3.1.0.4.3).
"""

from __future__ import annotations

from liaison.adapters.http_exchange import HttpPeer, HttpSettings
from liaison.hub.contracts import Attempt, Parcel, Refused, Unavailable


class FhirSettings(HttpSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a ``kind = "fhir"`` destination; ``url`` is the server's base (``https://plateforme.example.fr/fhir``)."""

    #: Namespace of the hub's event ids, a URI that the platform knows.
    identifiers: str = "urn:liaison:event"

    def __post_init__(self) -> None:
        HttpSettings.__post_init__(self)
        if "?" in self.url:
            raise ValueError("url : attendu la base du serveur FHIR, sans « ? »")
        if ":" not in self.identifiers or any(c in self.identifiers for c in "|&#,$\\") or not self.identifiers.isprintable():
            raise ValueError("identifiers : attendu une URI, par exemple urn:oid:1.2.250.1.999")


class FhirServer:
    """A gestionnaire d'abonnements (NdE), or any FHIR server that takes CommunicationRequest."""

    def __init__(self, name: str, settings: FhirSettings) -> None:
        self.name = name
        self.settings = settings
        self._peer = HttpPeer(settings)
        self._resources = self._peer.url / "CommunicationRequest"

    def __repr__(self) -> str:
        return f"<FhirServer {self.name} {self._peer.name}>"

    async def deliver(self, parcel: Parcel) -> Attempt:
        """Create the declaration, or update the one that ``parcel.options["amends"]`` names."""
        headers = {
            "Content-Type": f"{parcel.content_type}; charset=utf-8",
            "Accept": "application/fhir+json",
            "Prefer": "return=minimal",
        }
        amended = parcel.options.get("amends", "")
        if amended:
            target = self._resources.with_query(identifier=f"{self.settings.identifiers}|{amended}")
            outcome = await self._peer.send("PUT", target, body=parcel.body, headers=headers)
        else:
            headers["If-None-Exist"] = f"identifier={self.settings.identifiers}|{parcel.id}"
            outcome = await self._peer.send("POST", self._resources, body=parcel.body, headers=headers)
        match outcome:
            case Refused(code="409"):  # somebody changed the resource meanwhile (R4 §3.1.0.1.5)
                return Unavailable(reason="la plateforme modifiait la même déclaration (HTTP 409)")
            case Refused(code="412"):
                return Refused(
                    code="412", reason="la plateforme a plusieurs déclarations sous le même identifiant : à elle de trancher"
                )
            case _:
                return outcome

    async def probe(self) -> None:
        """Connect, and negotiate TLS; sends no request."""
        await self._peer.probe()

    async def close(self) -> None:
        """Give back the connections."""
        await self._peer.close()
