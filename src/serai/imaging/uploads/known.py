"""What of a sender's objects is here already, so that it need not be sent again."""

from __future__ import annotations

from collections.abc import Mapping

from serai.imaging.search.rows import visible
from serai.kernel.actor import Actor
from serai.platform.db import Database

HERE = """SELECT i.uid, i.blob FROM imaging_instance i
          JOIN imaging_study s ON s.uid = i.study_uid
          WHERE i.uid = ANY(%(uids)s) AND {visible}"""


async def missing(db: Database, wanted: Mapping[str, str], *, actor: Actor) -> list[str]:
    """SOP Instance UIDs that are not here, or here with other bytes than the SHA-256 given."""
    seen, values = visible(actor)
    async with db.connection() as connection:
        cursor = await connection.execute(
            HERE.format(visible=seen).encode(), {"uids": list(wanted), **values}
        )
        here: dict[str, str] = dict(await cursor.fetchall())
    return [
        uid for uid, sha256 in wanted.items() if uid not in here or sha256 not in ("", here[uid])
    ]
