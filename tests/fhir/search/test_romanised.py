"""Chinese names need a dictionary, which nobody else should pay for."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, sys
from serai.fhir.search.romanised import romanised
assert romanised("Nguyễn Văn An") == "nguyen van an"
assert "pypinyin" not in sys.modules
def memory():
    with open("/proc/self/statm") as told:
        return int(told.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
before = memory()
assert romanised("王小明") == "wangxiaoming"
assert memory() - before < 25, memory() - before
"""


def test_pinyin_is_loaded_with_the_first_chinese_name_and_is_small() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
