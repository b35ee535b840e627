"""What an administrator sees and mends: only the own organisation's, and no contents."""

from __future__ import annotations

import pytest
from psycopg.types.json import Jsonb
from tests.fhir.upkeep.conftest import House, SignIn

ROW = 'class="row-link"'


async def test_jobs_show_their_state_and_why_they_failed(house: House, sign_in: SignIn) -> None:
    program = await house.program("county")
    await house.job(program, "running")
    await house.job(program, "failed", error="job.gave-up")
    await house.job(await house.program("city"), "done")
    page = await (await sign_in("county")).get("/upkeep")
    assert page.count("<tr>") == 3  # the head and two jobs
    assert "40 of 100" in page
    assert "tried many times and given up" in page
    assert page.count("/retry") == 1
    assert page.count("/cancel") == 2


async def test_a_failed_job_is_tried_again_and_a_running_one_cancelled(
    house: House, sign_in: SignIn
) -> None:
    program = await house.program("county")
    failed = await house.job(program, "failed", error="job.broke")
    running = await house.job(program, "running")
    admin = await sign_in("county")
    assert (await admin.post(f"/upkeep/jobs/{failed}/retry")).status_code == 303
    assert (await admin.post(f"/upkeep/jobs/{running}/cancel")).status_code == 303
    assert (await admin.post(f"/upkeep/jobs/{running}/retry")).status_code == 409
    async with house.db.connection() as connection:
        rows = await connection.execute("SELECT id, status FROM fhir_job")
        assert dict(await rows.fetchall()) == {failed: "waiting", running: "cancelled"}
        acts = await connection.execute(
            "SELECT act, resource FROM audit_event WHERE act LIKE 'job.%' ORDER BY act"
        )
        assert await acts.fetchall() == [
            ("job.cancel", f"job/{running}"),
            ("job.resume", f"job/{failed}"),
        ]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("bulk.token-revoked", "申请该任务的访问权限已被撤销。"),
        ("search.too-long", "某个筛选条件的检索超过了 30 秒。"),
        ("fhir.scope", "申请该任务的访问权限不包括 Basic。"),
        ("job.too-long", "任务超过 48 小时，已被停止。"),
        ("patch.path", "服务器拒绝了任务的某一步（patch.path）。"),
    ],
)
async def test_why_a_job_failed_is_told_in_the_readers_language(
    house: House, sign_in: SignIn, key: str, said: str
) -> None:
    id = await house.job(await house.program("county"), "failed", error=key)
    async with house.db.transaction() as tx:
        details = Jsonb({"most": "30", "type": "Basic", "hours": "48", "interaction": "s"})
        await tx.execute("UPDATE fhir_job SET error_details = %s WHERE id = %s", (details, id))
    admin = await sign_in("county")
    admin.client.headers["accept-language"] = "zh-CN"
    assert said in await admin.get("/upkeep")


async def test_a_failed_job_whose_entry_still_stands_in_the_queue_is_tried_again(
    house: House, sign_in: SignIn
) -> None:
    failed = await house.job(await house.program("county"), "failed", queued=True)
    admin = await sign_in("county")
    assert (await admin.post(f"/upkeep/jobs/{failed}/retry")).status_code == 303
    async with house.db.connection() as connection:
        rows = await connection.execute(
            "SELECT j.status, q.status FROM fhir_job j"
            " JOIN procrastinate_jobs q ON q.args ->> 'job' = j.id"
        )
        assert await rows.fetchall() == [("waiting", "todo")]


async def test_another_organisations_jobs_and_subscriptions_are_not_there(
    house: House, sign_in: SignIn
) -> None:
    city = await house.program("city")
    job, id = await house.job(city, "failed"), await house.subscribed(city, "Theirs", dead=1)
    admin = await sign_in("county")
    assert ROW not in await admin.get("/upkeep/subscriptions")
    assert (await admin.client.get(f"/upkeep/subscriptions/{id}")).status_code == 404
    for path in (
        f"/upkeep/jobs/{job}/cancel",
        f"/upkeep/jobs/{job}/retry",
        f"/upkeep/subscriptions/{id}/off",
        f"/upkeep/subscriptions/{id}/replay",
    ):
        assert (await admin.post(path)).status_code == 404, path


@pytest.mark.parametrize("role", ["doctor", "expert", "desk"])
async def test_only_administrators_come_in(house: House, sign_in: SignIn, role: str) -> None:
    other = await sign_in("county", role)
    for path in ("/upkeep", "/upkeep/subscriptions", "/upkeep/subscriptions/x"):
        assert (await other.client.get(path)).status_code == 403


async def test_a_subscription_shows_where_it_stands_but_no_secret(
    house: House, sign_in: SignIn
) -> None:
    id = await house.subscribed(await house.program("county"), "Lab mirror", dead=3)
    admin = await sign_in("county")
    listed = await admin.get("/upkeep/subscriptions")
    assert "Lab mirror" in listed
    page = await admin.get(f"/upkeep/subscriptions/{id}")
    assert page.count("HTTP 500") == 3
    assert "Observation/<wbr>value-2" in page
    assert "key=secret" not in listed + page


async def test_dead_letters_are_replayed_one_by_one_or_all(house: House, sign_in: SignIn) -> None:
    id = await house.subscribed(await house.program("county"), "Lab mirror", dead=3)
    admin = await sign_in("county")
    assert (await admin.post(f"/upkeep/subscriptions/{id}/replay", number="2")).status_code == 303
    page = await admin.get(f"/upkeep/subscriptions/{id}")
    assert "value-2" not in page
    assert "value-1" in page
    await admin.post(f"/upkeep/subscriptions/{id}/replay", number="nonsense")
    assert "value-1" in await admin.get(f"/upkeep/subscriptions/{id}")
    await admin.post(f"/upkeep/subscriptions/{id}/replay")
    assert "Nothing was given up" in await admin.get(f"/upkeep/subscriptions/{id}")


async def test_every_dead_letter_is_on_one_page(house: House, sign_in: SignIn) -> None:
    id = await house.subscribed(await house.program("county"), "Lab mirror", dead=60)
    admin = await sign_in("county")
    seen: list[str] = []
    path = f"/upkeep/subscriptions/{id}"
    for start in (0, 25, 50):
        page = await admin.get(f"{path}?from={start}" if start else path)
        seen += [part.split("<")[0] for part in page.split("<wbr>")[1:]]
    assert seen == [f"value-{number}" for number in range(1, 61)]


async def test_switched_off_and_on_again_it_stays_the_programs_own(
    house: House, sign_in: SignIn
) -> None:
    program = await house.program("county")
    id = await house.subscribed(program, "Lab mirror")
    admin = await sign_in("county")
    stands = "SELECT status, subscriber FROM subscription WHERE id = %s"
    watched = "SELECT count(*) FROM subscription_type WHERE subscription = %s"
    for act, status, types in (("off", "off", 0), ("on", "requested", 1)):
        answer = await admin.post(f"/upkeep/subscriptions/{id}/{act}")
        assert answer.status_code == 303, answer.text
        async with house.db.connection() as connection:
            row = await (await connection.execute(stands, (id,))).fetchone()
            assert row == (status, program.id)
            counted = await (await connection.execute(watched, (id,))).fetchone()
            assert counted == (types,)


async def test_without_anything_the_pages_say_so(house: House, sign_in: SignIn) -> None:
    admin = await sign_in("county")
    assert "No jobs" in await admin.get("/upkeep")
    assert "No subscriptions" in await admin.get("/upkeep/subscriptions")
