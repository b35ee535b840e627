"""patch over HTTP: JSON Patch and FHIRPath Patch."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from tests.fhir.resources import Data, as_json, observation, patient

from serai.fhir.body import encode

JSON = {"content-type": "application/fhir+json"}
JSON_PATCH = {"content-type": "application/json-patch+json"}

START = patient(
    id="p",
    birthDate="1950-01-01",
    telecom=[{"system": "phone", "value": "1"}, {"system": "email", "value": "a@b"}],
    contact=[{"name": {"text": "y"}, "gender": "male"}],
)


async def put(fhir: httpx.AsyncClient, data: Data) -> httpx.Response:
    return await fhir.put(
        f"{data['resourceType']}/{data['id']}", content=as_json(data), headers=JSON
    )


async def send(
    fhir: httpx.AsyncClient, *operations: Data, address: str = "Patient/p", **headers: str
) -> httpx.Response:
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return await fhir.patch(address, content=encode(operations), headers=JSON_PATCH | more)


def fhirpath(kind: str, **parts: Any) -> Data:
    """One operation of a FHIRPath Patch; `value` is the name and content of value[x], or parts."""
    listed: list[Data] = [{"name": "type", "valueCode": kind}]
    for name, value in parts.items():
        if name == "value":
            listed.append({"name": "value"} | value)
        else:
            form = "valueInteger" if isinstance(value, int) else "valueString"
            listed.append({"name": name, form: value})
    return {"name": "operation", "part": listed}


def parameters(*operations: Data) -> bytes:
    return as_json({"resourceType": "Parameters", "parameter": list(operations)})


@pytest.mark.parametrize(
    ("operation", "at", "expected"),
    [
        ({"op": "add", "path": "/active", "value": True}, "active", True),
        ({"op": "replace", "path": "/birthDate", "value": "1951"}, "birthDate", "1951"),
        ({"op": "remove", "path": "/birthDate"}, "birthDate", None),
        ({"op": "move", "from": "/birthDate", "path": "/deceasedDateTime"},
         "deceasedDateTime", "1950-01-01"),
        ({"op": "copy", "from": "/contact/0/gender", "path": "/gender"}, "gender", "male"),
        ({"op": "add", "path": "/name/0/given/-", "value": "Hua"}, "name",
         [{"family": "Li", "given": ["Mei", "Hua"]}]),
        ({"op": "add", "path": "/name/0/given/0", "value": "Hua"}, "name",
         [{"family": "Li", "given": ["Hua", "Mei"]}]),
        ({"op": "test", "path": "/birthDate", "value": "1950-01-01"}, "birthDate", "1950-01-01"),
    ],
)  # fmt: skip
async def test_json_patch_does_each_operation_of_rfc_6902(
    fhir: httpx.AsyncClient, operation: Data, at: str, expected: object
) -> None:
    await put(fhir, START)
    answer = await send(fhir, operation)
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == 'W/"2"'
    assert answer.json().get(at) == expected
    assert (await fhir.get("Patient/p")).content == answer.content


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        ({"op": "test", "path": "/birthDate", "value": "1999"}, 422),
        ({"op": "test", "path": "/active", "value": 1}, 422),
        ({"op": "remove", "path": "/gender"}, 422),
        ({"op": "remove", "path": "/name/01"}, 422),
        ({"op": "add", "path": "/name/9", "value": {}}, 422),
        ({"op": "move", "from": "/name", "path": "/name/0"}, 422),
        ({"op": "add", "path": "/gender", "value": "nonsense"}, 422),
        ({"op": "replace", "path": "/id", "value": "other"}, 400),
        ({"op": "replace", "path": "", "value": {"resourceType": "Group"}}, 400),
        ({"op": "replace", "path": "", "value": 1}, 400),
        ({"op": "add", "path": "gender", "value": "male"}, 400),
        ({"op": "add", "path": "/gender"}, 400),
        ({"op": "explode", "path": "/gender"}, 400),
        ("text", 400),
    ],
)
async def test_a_json_patch_that_cannot_be_done_changes_nothing(
    fhir: httpx.AsyncClient, operation: Any, status: int
) -> None:
    await put(fhir, START | {"active": True})
    answer = await send(fhir, {"op": "test", "path": "/active", "value": True}, operation)
    assert answer.status_code == status, answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert (await fhir.get("Patient/p")).headers["etag"] == 'W/"1"'


async def test_a_refusal_names_the_operation(fhir: httpx.AsyncClient) -> None:
    await put(fhir, START)
    answer = await send(
        fhir, {"op": "add", "path": "/active", "value": True}, {"op": "remove", "path": "/gender"}
    )
    assert answer.json()["issue"][0]["expression"] == ["operation[1]"]
    one = fhirpath("delete", path="Patient.birthDate")
    two = fhirpath("replace", path="Patient.gender", value={"valueCode": "male"})
    answer = await fhir.patch("Patient/p", content=parameters(one, two), headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["Parameters.parameter[1]"]


async def test_digits_of_untouched_and_of_patched_decimals_stay(fhir: httpx.AsyncClient) -> None:
    raw = as_json(observation(id="o", referenceRange=[{"text": "x"}])).replace(
        b'"status"', b'"valueQuantity":{"value":1.00,"unit":"x"},"status"'
    )
    await fhir.put("Observation/o", content=raw, headers=JSON)
    patch = b'[{"op":"add","path":"/referenceRange/0/low","value":{"value":2.500}}]'
    answer = await fhir.patch("Observation/o", content=patch, headers=JSON_PATCH)
    assert b'"value":1.00,' in answer.content
    assert b'"value":2.500' in answer.content


@pytest.mark.parametrize(
    ("operation", "at", "expected"),
    [
        (fhirpath("add", path="Patient", name="gender", value={"valueCode": "female"}),
         "gender", "female"),
        (fhirpath("add", path="Patient", name="deceased", value={"valueBoolean": True}),
         "deceasedBoolean", True),
        (fhirpath("add", path="Patient.name[0]", name="given", value={"valueString": "Hua"}),
         "name", [{"family": "Li", "given": ["Mei", "Hua"]}]),
        (fhirpath("add", path="Patient", name="contact", value={
            "part": [{"name": "name", "valueHumanName": {"text": "x"}},
                     {"name": "telecom", "valueContactPoint": {"rank": 1}}]}),
         "contact", [*START["contact"], {"name": {"text": "x"}, "telecom": [{"rank": 1}]}]),
        (fhirpath("insert", path="Patient.telecom", index=0,
                  value={"valueContactPoint": {"rank": 9}}),
         "telecom", [{"rank": 9}, *START["telecom"]]),
        (fhirpath("delete", path="Patient.telecom.where(system = 'phone')"),
         "telecom", [START["telecom"][1]]),
        (fhirpath("delete", path="Patient.gender"), "gender", None),
        (fhirpath("delete", path="Patient.contact[0]"), "contact", None),
        (fhirpath("replace", path="Patient.telecom.where(system = 'phone' and value = '1').value",
                  value={"valueString": "2"}),
         "telecom", [{"system": "phone", "value": "2"}, START["telecom"][1]]),
        (fhirpath("replace", path="Patient.contact.first().gender", value={"valueCode": "other"}),
         "contact", [{"name": {"text": "y"}, "gender": "other"}]),
        (fhirpath("move", path="Patient.telecom", source=1, destination=0),
         "telecom", START["telecom"][::-1]),
    ],
)  # fmt: skip
async def test_fhirpath_patch_does_each_operation_of_the_standard(
    fhir: httpx.AsyncClient, operation: Data, at: str, expected: object
) -> None:
    await put(fhir, START)
    answer = await fhir.patch("Patient/p", content=parameters(operation), headers=JSON)
    assert answer.status_code == 200, answer.text
    assert answer.json().get(at) == expected


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        (fhirpath("replace", path="Patient.telecom", value={"valueString": "x"}), 422),
        (fhirpath("delete", path="Patient.telecom"), 422),
        (fhirpath("delete", path="Patient"), 422),
        (fhirpath("add", path="Patient", name="birthDate", value={"valueDate": "1999"}), 422),
        (fhirpath("add", path="Patient", name="nonsense", value={"valueString": "x"}), 422),
        (fhirpath("add", path="Patient.gender", name="x", value={"valueString": "x"}), 422),
        (fhirpath("insert", path="Patient.telecom", index=3, value={"valueString": "x"}), 422),
        (fhirpath("move", path="Patient.birthDate", source=0, destination=0), 422),
        (fhirpath("replace", path="Patient.id", value={"valueId": "q"}), 400),
        (fhirpath("delete", path="Group.member"), 400),
        (fhirpath("delete", path="Patient.name.repeat(given)"), 400),
        (fhirpath("delete", path="Patient.name.where("), 400),
        (fhirpath("delete", path="Patient.birthDate", index=1), 400),
        (fhirpath("vanish", path="Patient.birthDate"), 400),
        ({"name": "other"}, 400),
    ],
)
async def test_a_fhirpath_patch_that_cannot_be_done_changes_nothing(
    fhir: httpx.AsyncClient, operation: Data, status: int
) -> None:
    await put(fhir, START)
    answer = await fhir.patch("Patient/p", content=parameters(operation), headers=JSON)
    assert answer.status_code == status, answer.text
    assert (await fhir.get("Patient/p")).headers["etag"] == 'W/"1"'


async def test_conditional_patch_finds_one_or_refuses(fhir: httpx.AsyncClient) -> None:
    change = {"op": "replace", "path": "/birthDate", "value": "1960"}
    await put(fhir, START)
    one = await send(fhir, change, address="Patient?birthdate=1950-01-01")
    assert (one.status_code, one.json()["birthDate"]) == (200, "1960")
    none = await send(fhir, change, address="Patient?birthdate=1950-01-01")
    assert none.status_code == 404
    await put(fhir, START | {"id": "q"})
    several = await send(fhir, change, address="Patient?family=Li")
    assert several.status_code == 412
    assert (await send(fhir, change, address="Patient")).status_code == 400


async def test_patch_keeps_to_if_match_and_prefer_and_its_two_formats(
    fhir: httpx.AsyncClient,
) -> None:
    await put(fhir, START)
    change = {"op": "replace", "path": "/birthDate", "value": "1960"}
    assert (await send(fhir, change, if_match='W/"7"')).status_code == 412
    quiet = await send(fhir, change, if_match='W/"1"', prefer="return=minimal")
    assert (quiet.status_code, quiet.content) == (200, b"")
    assert (await send(fhir, change, address="Patient/nobody")).status_code == 404
    merge = {"content-type": "application/merge-patch+json"}
    assert (await fhir.patch("Patient/p", content=b"{}", headers=merge)).status_code == 415
    whole = await fhir.patch("Patient/p", content=as_json(START), headers=JSON)
    assert whole.status_code == 415
    await fhir.delete("Patient/p")
    assert (await send(fhir, change)).status_code == 410


async def test_of_concurrent_patches_none_is_lost(fhir: httpx.AsyncClient) -> None:
    await put(fhir, START)
    answers = await asyncio.gather(
        *(send(fhir, {"op": "add", "path": "/name/0/given/-", "value": f"N{n}"}) for n in range(16))
    )
    assert {answer.status_code for answer in answers} == {200}
    given = (await fhir.get("Patient/p")).json()["name"][0]["given"]
    assert sorted(given) == sorted(["Mei", *(f"N{n}" for n in range(16))])
