"""Acts on a patient's chart."""

from serai.care.chart.actions.documents import SUFFIXES, Document, attach_document, open_document
from serai.care.chart.actions.pictures import Upload, attach_pictures
from serai.care.chart.actions.registering import (
    Chart,
    Charts,
    find,
    look_alikes,
    open_chart,
    person,
    register,
    studies,
)

__all__ = [
    "SUFFIXES",
    "Chart",
    "Charts",
    "Document",
    "Upload",
    "attach_document",
    "attach_pictures",
    "find",
    "look_alikes",
    "open_chart",
    "open_document",
    "person",
    "register",
    "studies",
]
