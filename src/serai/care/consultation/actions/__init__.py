"""One function per act; each authorises, decides by the model and saves in one transaction."""

from serai.care.consultation.actions.advising import (
    accept,
    amend,
    ask,
    assign,
    decline,
    save_opinion,
    sign,
    start,
)
from serai.care.consultation.actions.asking import (
    acknowledge,
    answer,
    attach_studies,
    cancel,
    draft,
    edit,
    redirect,
    send,
)
from serai.care.consultation.actions.guarding import register_guards
from serai.care.consultation.actions.viewing import Desk, View, desk, look, read, worklist

__all__ = [
    "Desk",
    "View",
    "accept",
    "acknowledge",
    "amend",
    "answer",
    "ask",
    "assign",
    "attach_studies",
    "cancel",
    "decline",
    "desk",
    "draft",
    "edit",
    "look",
    "read",
    "redirect",
    "register_guards",
    "save_opinion",
    "send",
    "sign",
    "start",
    "worklist",
]
