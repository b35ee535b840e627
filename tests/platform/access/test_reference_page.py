"""docs/reference/access.md says what the policy decides."""

from __future__ import annotations

from tools.access_reference import PAGE, page


def test_the_page_is_the_one_the_policy_makes_now() -> None:
    assert PAGE.read_text() == page(), "tools/access_reference.py"
