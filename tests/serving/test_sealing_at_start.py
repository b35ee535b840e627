"""What an earlier version kept in the clear is sealed before anybody is served."""

from __future__ import annotations

import os

import psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tests.platform.encryption.test_renewing import add_account
from tests.serving.conftest import Place, Serve

from serai.platform.encryption import sealing
from serai.platform.postgres import Cluster

HOOK = b"""{"resourceType":"Subscription","id":"ward","status":"off","reason":"ward",
"criteria":"Observation?","channel":{"type":"rest-hook","endpoint":"https://nobody.invalid/",
"header":["Authorization: CANARY"]}}"""
ADD_HOOK = """INSERT INTO fhir_resource (type, id, version, last_updated, method, content)
    VALUES ('Subscription', 'ward', 1, now(), 'PUT', %s)"""
DUE = "INSERT INTO encryption_due VALUES ('account_totp'), ('Subscription')"
KEPT = """SELECT sealed, convert_from(content, 'UTF8'), (SELECT count(*) FROM encryption_due)
    FROM account_totp, fhir_resource WHERE type = 'Subscription'"""


def test_the_start_seals_what_lay_there_plain(serve: Serve, used_place: Place) -> None:
    identity, nonce = os.urandom(32), os.urandom(12)
    (used_place.home / "identity.key").write_text(identity.hex())
    with Cluster(used_place.home) as cluster:
        box = nonce + AESGCM(identity).encrypt(nonce, b"JBSWY3DPEHPK3PXP", b"dr-li")
        add_account(cluster.url, "dr-li", box)
        with psycopg.connect(cluster.url) as connection:
            connection.execute(ADD_HOOK, (HOOK,))
            connection.execute(DUE)
    serve(used_place)
    with psycopg.connect(Cluster(used_place.home).url) as connection:
        ((seed, hook, due),) = connection.execute(KEPT).fetchall()
        connection.execute("DELETE FROM account_totp")
        connection.execute("DELETE FROM fhir_resource WHERE type = 'Subscription'")
    assert sealing.is_sealed(seed)
    assert "CANARY" not in hook
    assert due == 0
