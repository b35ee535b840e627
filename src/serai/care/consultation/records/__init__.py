"""A consultation in FHIR: ServiceRequest, Task, Communication and DiagnosticReport."""

from serai.care.consultation.records.attachments import attached_entries, recent_entries
from serai.care.consultation.records.keeping import (
    Case,
    Consultations,
    add_message,
    changed_meanwhile,
    create,
    load,
    messages,
    of_task,
    opinion,
    opinion_versions,
    practitioner_name,
    read,
    save,
    save_draft,
    save_signed,
    steps,
)
from serai.care.consultation.records.mapping import Names, mover
from serai.care.consultation.records.opinion import Message, OpinionVersion
from serai.care.consultation.records.worklist import (
    Counts,
    Item,
    View,
    Wanted,
    Worklist,
    counts,
    worklist,
)

__all__ = [
    "Case",
    "Consultations",
    "Counts",
    "Item",
    "Message",
    "Names",
    "OpinionVersion",
    "View",
    "Wanted",
    "Worklist",
    "add_message",
    "attached_entries",
    "changed_meanwhile",
    "counts",
    "create",
    "load",
    "messages",
    "mover",
    "of_task",
    "opinion",
    "opinion_versions",
    "practitioner_name",
    "read",
    "recent_entries",
    "save",
    "save_draft",
    "save_signed",
    "steps",
    "worklist",
]
