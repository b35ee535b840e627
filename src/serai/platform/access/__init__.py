"""Who may do what with which record: the policy as a table, and one pure function over it."""

from serai.platform.access.deciding import decide
from serai.platform.access.facts import Act, Asker, Context, Decision, Relation, Subject
from serai.platform.access.provisions import Provision, Question, denials

__all__ = [
    "Act",
    "Asker",
    "Context",
    "Decision",
    "Provision",
    "Question",
    "Relation",
    "Subject",
    "decide",
    "denials",
]
