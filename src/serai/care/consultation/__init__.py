"""Remote consultation: a doctor asks another hospital's expert and gets a signed opinion back."""

from serai.care.consultation.actions import (
    accept,
    acknowledge,
    amend,
    answer,
    ask,
    assign,
    cancel,
    decline,
    desk,
    draft,
    edit,
    redirect,
    register_guards,
    send,
    sign,
    start,
)
from serai.care.consultation.model import Consultation, Opinion, Request, State, Urgency
from serai.care.consultation.records import Consultations

__all__ = [
    "Consultation",
    "Consultations",
    "Opinion",
    "Request",
    "State",
    "Urgency",
    "accept",
    "acknowledge",
    "amend",
    "answer",
    "ask",
    "assign",
    "cancel",
    "decline",
    "desk",
    "draft",
    "edit",
    "redirect",
    "register_guards",
    "send",
    "sign",
    "start",
]
