"""One state folder, one server; and a folder that cannot be used is found out at once."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from serai.kernel.errors import Conflict, Unavailable
from serai.platform.locks import only_server, prepare_home


def test_a_second_server_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    with only_server(tmp_path):
        with pytest.raises(Conflict) as refused, only_server(tmp_path):
            pass
        assert refused.value.details["process"] == str(os.getpid())
    with only_server(tmp_path):
        pass


def test_a_new_folder_can_be_passed_but_not_listed_by_others(tmp_path: Path) -> None:
    prepare_home(tmp_path / "new" / "var")
    assert stat.S_IMODE((tmp_path / "new" / "var").stat().st_mode) == 0o711
    assert list((tmp_path / "new" / "var").iterdir()) == []


@pytest.mark.parametrize("place", ["/proc/serai", "/dev/null", "/dev/null/var"])
def test_a_place_that_takes_no_file_is_refused(place: str) -> None:
    with pytest.raises(Unavailable) as refused:
        prepare_home(Path(place))
    assert refused.value.key == "home.unusable"
