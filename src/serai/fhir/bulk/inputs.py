"""Files to import that a client names by address, and where such an address may lead.

Nothing is fetched from a host that no setting names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serai.kernel.errors import Forbidden, Invalid, NotFound
from serai.platform import addresses
from serai.platform.addresses import Endpoint, NotAnAddress
from serai.platform.settings import Settings


@dataclass(frozen=True, slots=True)
class Input:
    """One file of resources of one type."""

    type: str
    url: str


@dataclass(frozen=True, slots=True)
class Hosts:
    """The hosts that files may be fetched from: `public` ones, and `private` ones that may
    stand in our own network, where http is enough on this machine itself."""

    public: frozenset[str] = frozenset()
    private: frozenset[str] = frozenset()

    @classmethod
    def of(cls, settings: Settings) -> Hosts:
        public, private = settings.import_hosts, settings.import_private_hosts
        return cls(addresses.hosts(public), addresses.hosts(private))

    def read(self, url: str) -> Endpoint:
        """What can be refused without asking the network."""
        try:
            found = addresses.read(url)
        except NotAnAddress as error:
            raise Invalid("bulk.address") from error
        private = addresses.is_listed(found, self.private)
        if not private and not addresses.is_listed(found, self.public):
            raise Forbidden("bulk.host-not-listed", host=found.host)
        if not private and addresses.is_plainly_ours(found.host):
            raise Forbidden("bulk.private-address", host=found.host)
        if found.scheme != "https" and not private:
            raise Invalid("bulk.https-only")
        return found

    async def resolve(self, endpoint: Endpoint) -> str:
        """The IP address to connect to; every one that the name stands for is judged."""
        try:
            found = await addresses.resolve(endpoint)
        except OSError as error:
            raise NotFound("bulk.no-address", host=endpoint.host) from error
        if endpoint.scheme != "https" and not all(map(addresses.is_loopback, found)):
            raise Invalid("bulk.https-only")
        private = addresses.is_listed(endpoint, self.private)
        if not private and not all(map(addresses.is_public, found)):
            raise Forbidden("bulk.private-address", host=endpoint.host)
        return found[0]


def of_job(parameters: Mapping[str, Any]) -> list[Input]:
    """What `asked` wrote down."""
    return [Input(one["type"], one["url"]) for one in parameters.get("inputs", ())]
