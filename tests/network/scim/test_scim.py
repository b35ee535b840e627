"""SCIM 2.0 as a directory uses it (RFC 7644), over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from httpx import ASGITransport, AsyncClient
from starlette.routing import Mount

from serai.fhir.store import FhirStore
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.network import scim
from serai.network.scim.schemas import PATCH, USER
from serai.platform.auth import sessions
from serai.platform.auth.accounts import create_account, find_account
from serai.platform.auth.scopes import parse_scopes
from serai.platform.auth.tokens import issue_token
from serai.platform.db import Database
from serai.platform.settings import Settings
from serai.web.application import page_app

LI = {
    "schemas": [USER],
    "userName": "li.na",
    "externalId": "1001",
    "name": {"familyName": "李", "givenName": "娜"},
    "emails": [{"value": "li.na@county.example", "type": "work", "primary": True}],
    "roles": [{"value": "doctor"}],
    "active": True,
}


@pytest_asyncio.fixture
async def client(db: Database) -> AsyncIterator[AsyncClient]:
    """The directory of the county hospital."""
    feed = scim.application()
    app = page_app([Mount("/scim/v2", app=feed)], db=db, fhir=FhirStore(), settings=Settings())
    feed.state = app.state
    async with db.transaction() as tx:
        hour = timedelta(hours=1)
        token = await issue_token(tx, frozenset(), hour, organisation="county", staff_feed=True)
    async with AsyncClient(
        transport=ASGITransport(app),
        base_url="http://serai.test/scim/v2",
        headers={"Authorization": f"Bearer {token}"},
    ) as client:
        yield client


def operations(*wanted: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": [PATCH], "Operations": list(wanted)}


async def joined(client: AsyncClient, **changed: Any) -> dict[str, Any]:
    answer = await client.post("/Users", json=LI | changed)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_a_created_user_is_shown_found_and_versioned(client: AsyncClient) -> None:
    answer = await client.post("/Users", json=LI)
    user = answer.json()
    assert answer.headers["content-type"] == "application/scim+json"
    assert answer.headers["location"].endswith(f"/scim/v2/Users/{user['id']}")
    assert user["name"]["formatted"] == "李娜"
    read = await client.get(f"/Users/{user['id']}")
    assert read.json() == user
    assert read.headers["etag"] == user["meta"]["version"]
    same = await client.get(f"/Users/{user['id']}", headers={"If-None-Match": read.headers["etag"]})
    assert same.status_code == 304
    for filter_ in ('userName eq "Li.Na"', 'externalId eq "1001" and active eq true'):
        found = (await client.get("/Users", params={"filter": filter_})).json()
        assert [one["id"] for one in found["Resources"]] == [user["id"]], filter_
    none = (await client.get("/Users", params={"filter": 'userName eq "nobody"'})).json()
    assert none["totalResults"] == 0


async def test_a_login_is_taken_once(client: AsyncClient) -> None:
    await joined(client)
    answer = await client.post("/Users", json=LI | {"externalId": "other"})
    assert answer.status_code == 409
    assert answer.json()["scimType"] == "uniqueness"


@pytest.mark.parametrize(
    ("operation", "path", "expected"),
    [
        ({"op": "replace", "path": "displayName", "value": "Li Na"}, "displayName", "Li Na"),
        ({"op": "Replace", "path": "active", "value": "False"}, "active", False),
        ({"op": "replace", "value": {"active": False}}, "active", False),
        ({"op": "add", "path": "roles", "value": [{"value": "expert"}]}, "roles",
         [{"value": "expert", "primary": True}]),
        ({"op": "replace", "path": 'emails[type eq "work"].value', "value": "n@b.example"},
         "emails", [{"value": "n@b.example", "primary": True}]),
        ({"op": "remove", "path": "emails"}, "emails", None),
        ({"op": "replace", "path": "userName", "value": "li.na2"}, "userName", "li.na2"),
        ({"op": "replace", "path": "name.formatted", "value": "娜李"}, "displayName", "娜李"),
        ({"op": "replace", "path": f"{USER}:externalId", "value": "7"}, "externalId", "7"),
    ],
)  # fmt: skip
async def test_a_patch_changes_what_it_names(
    client: AsyncClient, operation: dict[str, Any], path: str, expected: object
) -> None:
    user = await joined(client)
    answer = await client.patch(f"/Users/{user['id']}", json=operations(operation))
    assert answer.status_code == 200, answer.text
    assert answer.json().get(path) == expected
    assert answer.headers["etag"] != user["meta"]["version"]
    assert (await client.get(f"/Users/{user['id']}")).json() == answer.json()


async def test_a_new_login_stays_the_same_person_in_the_directory(
    client: AsyncClient, db: Database
) -> None:
    user = await joined(client)
    change = operations({"op": "replace", "path": "userName", "value": "li.na2"})
    await client.patch(f"/Users/{user['id']}", json=change)
    async with db.connection() as c:
        found = await FhirStore().find(c, "Practitioner", actor=serai_itself)
        assert (await find_account(c, "li.na2")).practitioner == "staff-li.na"
    assert [(one["id"], one["identifier"][0]["value"]) for one in found] == [
        ("staff-li.na", "li.na2")
    ]


async def test_a_leaver_is_signed_out_at_once_and_deleted_means_gone_for_the_directory(
    client: AsyncClient, db: Database
) -> None:
    user = await joined(client)
    async with db.transaction() as tx:
        secret, _ = await sessions.open_session(tx, user["id"], utc_now())
    assert (await client.delete(f"/Users/{user['id']}")).status_code == 204
    assert await sessions.session_actor(db, secret, utc_now()) is None
    assert (await client.get(f"/Users/{user['id']}")).status_code == 404
    assert (await client.get("/Users")).json()["totalResults"] == 0
    async with db.connection() as c:
        assert (await find_account(c, "li.na")).disabled_at is not None
    back = await joined(client)
    assert (back["id"], back["active"]) == (user["id"], True)


async def test_a_put_replaces_and_what_it_leaves_out_is_gone(client: AsyncClient) -> None:
    user = await joined(client)
    wanted = {name: value for name, value in LI.items() if name not in ("emails", "externalId")}
    answer = await client.put(f"/Users/{user['id']}", json=wanted | {"id": "other", "title": "Dr"})
    assert answer.status_code == 200
    assert answer.json()["id"] == user["id"]
    assert "emails" not in answer.json()
    assert "externalId" not in answer.json()


async def test_a_change_of_what_has_changed_since_is_refused(client: AsyncClient) -> None:
    user = await joined(client)
    path, old = f"/Users/{user['id']}", {"If-Match": user["meta"]["version"]}
    change = operations({"op": "replace", "path": "displayName", "value": "Li"})
    assert (await client.patch(path, json=change, headers=old)).status_code == 200
    assert (await client.patch(path, json=change, headers=old)).status_code == 412
    assert (await client.delete(path, headers=old)).status_code == 412


async def test_a_long_list_comes_in_pages(client: AsyncClient) -> None:
    for number in range(5):
        await joined(client, userName=f"person{number}", externalId=str(number))
    seen: list[str] = []
    for start in (1, 3, 5):
        page = (await client.get("/Users", params={"startIndex": start, "count": 2})).json()
        assert page["totalResults"] == 5
        seen += [one["userName"] for one in page["Resources"]]
    assert seen == [f"person{number}" for number in range(5)]
    only_counted = (await client.get("/Users", params={"count": 0})).json()
    assert (only_counted["totalResults"], only_counted["Resources"]) == (5, [])


async def test_a_group_is_a_role_and_joining_it_gives_the_role(client: AsyncClient) -> None:
    user = await joined(client)
    add = operations({"op": "add", "path": "members", "value": [{"value": user["id"]}]})
    answer = await client.patch("/Groups/expert", json=add)
    assert [one["value"] for one in answer.json()["members"]] == [user["id"]]
    assert (await client.get("/Groups/doctor")).json()["members"] == []
    assert len((await client.get("/Groups")).json()["Resources"]) == 4
    remove = operations({"op": "remove", "path": "members"})
    assert (await client.patch("/Groups/expert", json=remove)).json()["scimType"] == "mutability"
    assert (await client.post("/Groups", json={})).status_code == 501


async def test_the_accounts_of_another_organisation_are_not_there(
    client: AsyncClient, db: Database
) -> None:
    async with db.transaction() as tx:
        theirs = await create_account(
            tx, login="prof", password=None, name="Prof", role="expert", organisation="lead"
        )
    path = f"/Users/{theirs.id}"
    off = operations({"op": "replace", "path": "active", "value": False})
    add = operations({"op": "add", "path": "members", "value": [{"value": theirs.id}]})
    for answer in (
        await client.get(path),
        await client.patch(path, json=off),
        await client.put(path, json=LI),
        await client.delete(path),
        await client.patch("/Groups/admin", json=add),
    ):
        assert answer.status_code == 404
    assert (await client.get("/Users")).json()["totalResults"] == 0
    async with db.connection() as c:
        assert await find_account(c, "prof") == theirs


@pytest.mark.parametrize("scopes", ["system/*.cruds", None])
async def test_only_a_registers_token_opens_the_door(
    client: AsyncClient, db: Database, scopes: str | None
) -> None:
    headers = {"Authorization": "Bearer nonsense"}
    if scopes:
        async with db.transaction() as tx:
            token = await issue_token(
                tx, parse_scopes(scopes), timedelta(hours=1), organisation="county"
            )
        headers = {"Authorization": f"Bearer {token}"}
    for path in ("/Users", "/Groups", "/Schemas", "/ServiceProviderConfig", "/ResourceTypes"):
        answer = await client.get(path, headers=headers)
        assert answer.status_code == (403 if scopes else 401)
        assert answer.json()["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert (await client.post("/Users", json=LI, headers=headers)).status_code in (401, 403)


@pytest.mark.parametrize(
    ("method", "path", "body", "kind"),
    [
        ("POST", "/Users", LI | {"salary": 1}, "invalidValue"),
        ("POST", "/Users", LI | {"password": "three geese"}, "invalidValue"),
        ("POST", "/Users", LI | {"roles": []}, "invalidValue"),
        ("POST", "/Users", LI | {"roles": "doctor"}, "invalidSyntax"),
        ("POST", "/Users", LI | {"userName": ""}, "invalidValue"),
        ("POST", "/Users", LI | {"active": "maybe"}, "invalidValue"),
        ("POST", "/Users", [], "invalidSyntax"),
        ("GET", '/Users?filter=userName sw "l"', None, "invalidFilter"),
        ("GET", "/Users?filter=", None, "invalidFilter"),
        ("GET", "/Users?count=x", None, "invalidValue"),
        ("GET", "/Users?sortBy=userName", None, "invalidValue"),
    ],
)
async def test_what_cannot_be_taken_is_refused_with_its_kind(
    client: AsyncClient, method: str, path: str, body: object, kind: str
) -> None:
    answer = await client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["scimType"]) == (400, kind)


async def test_the_server_says_what_it_offers(client: AsyncClient) -> None:
    offered = (await client.get("/ServiceProviderConfig")).json()
    assert offered["patch"]["supported"]
    assert offered["etag"]["supported"]
    assert not offered["bulk"]["supported"]
    types = (await client.get("/ResourceTypes")).json()["Resources"]
    assert {one["endpoint"] for one in types} == {"/Users", "/Groups"}
    assert (await client.get(f"/Schemas/{USER}")).json()["name"] == "User"


async def test_what_a_directory_did_stands_in_the_audit_trail(
    client: AsyncClient, db: Database
) -> None:
    user = await joined(client)
    await client.delete(f"/Users/{user['id']}")
    async with db.connection() as c:
        rows = await c.execute(
            "SELECT act, organisation FROM audit_event WHERE resource = %s ORDER BY sequence",
            (f"account/{user['id']}",),
        )
        assert await rows.fetchall() == [("account.open", "county"), ("account.disable", "county")]
