"""What people do with a project, and the long work behind it."""

from serai.deidentify.projects.actions.leading import (
    Desk,
    add_studies,
    candidates,
    create,
    discard,
    invite,
    remove_study,
    run,
    see,
    see_all,
    who_is,
)
from serai.deidentify.projects.actions.packing import download

__all__ = [
    "Desk",
    "add_studies",
    "candidates",
    "create",
    "discard",
    "download",
    "invite",
    "remove_study",
    "run",
    "see",
    "see_all",
    "who_is",
]
