"""One request on an association and the way to answer it, for services of our own (PS3.7 §9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from types import MappingProxyType
from typing import Any

from serai.imaging.archive import Archive
from serai.imaging.dataset.elements import EXPLICIT_LITTLE, IMPLICIT_LITTLE, walk
from serai.imaging.dataset.model_json import Attributes, JsonModel
from serai.imaging.dataset.part10 import IMPLICIT_VR_LITTLE_ENDIAN
from serai.imaging.dataset.writing import CHARACTER_SET, encoded
from serai.imaging.dimse.loop import LoopThread
from serai.imaging.dimse.peers import Peer
from serai.imaging.dimse.waiting import reactor_held
from serai.kernel.errors import Invalid
from serai.platform.db import Database
from serai.platform.settings import Settings
from serai.platform.threads import ThreadDatabase

# What each kind of request calls its data set (PS3.7 §9.1, §10.1).
DATA_SETS = ("Identifier", "AttributeList", "ModificationList", "ActionInformation")


@dataclass(frozen=True, slots=True)
class House:
    """What services work with, the same for every association."""

    settings: Settings
    loop: LoopThread
    db: Database
    threads: ThreadDatabase
    archive: Archive

    @property
    def ae_title(self) -> str:
        return self.settings.ae_title


@dataclass(frozen=True)
class Exchange:
    """`association`, `request` and `context` are pynetdicom's, which has no types for them."""

    house: House
    peer: Peer
    association: Any
    request: Any
    context: Any

    @property
    def model(self) -> str:
        """The information model asked in, or the SOP class served."""
        return str(self.context.abstract_syntax)

    @cached_property
    def identifier(self) -> Attributes:
        """The data set of the request; Invalid when there is none."""
        given = [getattr(self.request, name, None) for name in DATA_SETS]
        content = next((each.getvalue() for each in given if each), b"")
        if not content:
            raise Invalid("dimse.no-identifier")
        encoding = EXPLICIT_LITTLE if self._explicit else IMPLICIT_LITTLE
        return JsonModel(content, encoding, lambda *_: "").attributes(walk(content, 0, encoding))

    @property
    def cancelled(self) -> bool:
        """Whether a C-CANCEL for this request has come."""
        return self.request.MessageID in self.association.dimse.cancel_req

    @property
    def open(self) -> bool:
        return bool(self.association.is_established)

    def respond(
        self,
        status: int,
        identifier: Attributes | None = None,
        fields: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        """Send one response; `fields` are elements of the command set by keyword."""
        response = type(self.request)()
        response.MessageIDBeingRespondedTo = self.request.MessageID
        response.AffectedSOPClassUID = self.model
        response.Status = status
        for keyword, value in fields.items():
            setattr(response, keyword, value)
        if identifier is not None:
            response.Identifier = BytesIO(self._encoded(identifier))
        if self.open:
            self.association.dimse.send_msg(response, self.context.context_id)

    def respond_instance(self, uid: str, fields: Mapping[str, object] | None = None) -> None:
        """Success of an operation on one managed SOP instance (PS3.7 §10.1)."""
        self.respond(0x0000, fields={"AffectedSOPInstanceUID": uid, **(fields or {})})

    def asked(self, association: Any, request: Any, context_id: int) -> Any:
        """Ask something ourselves, on this association or another, and wait for the answer."""
        with reactor_held(association):
            association.dimse.send_msg(request, context_id)
            return association.dimse.get_msg(block=True)[1]

    def refuse(self, failure: tuple[int, str], details: Mapping[str, object]) -> None:
        """A failure with its reason and, when one is to blame, the element."""
        code, comment = failure
        tag = str(details.get("tag", ""))
        blamed: dict[str, object] = {"OffendingElement": [int(tag, 16)]} if tag else {}
        self.respond(code, fields={"ErrorComment": comment, **blamed})

    @property
    def _explicit(self) -> bool:
        return str(self.context.transfer_syntax[0]) != IMPLICIT_VR_LITTLE_ENDIAN

    def _encoded(self, identifier: Attributes) -> bytes:
        asked = self.identifier.get(CHARACTER_SET, {}).get("Value", [])
        terms = [term or "" for term in asked]
        return encoded(identifier, explicit=self._explicit, asked=terms)
