"""How pydicom treats values that are not as the standard wants them."""

from __future__ import annotations


def pass_values_on() -> None:
    """As they are, without a word: what devices write is not for the archive to judge."""
    from pydicom import config

    config.settings.reading_validation_mode = config.IGNORE
    config.settings.writing_validation_mode = config.IGNORE
