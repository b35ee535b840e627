"""Settings for a command: the environment, overruled by options."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from serai.kernel.errors import Invalid
from serai.platform.settings import Settings


def read_settings(**given: Any) -> Settings:
    """Options that are None were not given; Invalid names the setting that is wrong."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        finding = error.errors(include_url=False)[0]
        name = "_".join(str(part) for part in finding["loc"]).upper()
        raise Invalid("settings.invalid", setting=f"SERAI_{name}", reason=finding["msg"]) from error
