import re
import time

from serai.kernel.ids import new_id


def test_a_new_id_is_a_version_7_uuid_that_fhir_accepts() -> None:
    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", new_id()
    )


def test_ids_made_later_sort_later() -> None:
    earlier = new_id()
    time.sleep(0.002)
    assert earlier < new_id()
