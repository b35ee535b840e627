"""The demonstration: a care network, its patients and pictures, and consultations under way.

Loaded once, part by part. Each part is safe to repeat, so an interrupted load is taken up where
it stopped. Nothing is dated back: the consultations happen when they are loaded, and the records
keep the dates they have in `demo/`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.console import Console

from serai.care import consultation
from serai.care.consultation import Consultations, Opinion, Request, Urgency
from serai.exchange.importing import import_into
from serai.fhir.store import FhirStore
from serai.imaging.archive import Archive
from serai.imaging.dimse.peers import peers_of, set_peers
from serai.kernel.actor import Actor, serai_itself
from serai.kernel.clock import utc_now
from serai.kernel.errors import Conflict, Malformed
from serai.network.loading import load as load_network
from serai.platform.auth.accounts import find_account
from serai.platform.db import Database

FOLDER = Path(__file__).resolve().parents[2] / "demo"
CUSTODIAN = "county"
EXPERTS = "lead"
ASKING = "county.doctor"
HOSPITAL_NUMBER = "https://serai.health/fhir/NamingSystem/qingshan-patient-number"

DONE = "SELECT part FROM demonstration"
MARK = "INSERT INTO demonstration (part, done_at) VALUES (%s, %s) ON CONFLICT DO NOTHING"
IN_USE = "SELECT EXISTS (SELECT FROM fhir_resource WHERE type = 'Patient' AND NOT deleted)"

Step = Callable[[Consultations, str], Awaitable[object]]


@dataclass(frozen=True)
class Stage:
    """Where the demonstration is put up."""

    db: Database
    fhir: FhirStore
    archive: Archive
    folder: Path
    console: Console


@dataclass(frozen=True)
class Story:
    """A consultation about the patient of a hospital number, and how far it has come."""

    number: str
    request: Request
    steps: Sequence[Step]


async def load(
    *,
    db: Database,
    fhir: FhirStore,
    archive: Archive,
    console: Console,
    folder: Path = FOLDER,
) -> bool:
    """Whether there was anything left to load."""
    stage = Stage(db, fhir, archive, folder, console)
    parts = _parts(stage)
    async with db.connection() as connection:
        done = {part for (part,) in await (await connection.execute(DONE)).fetchall()}
        row = await (await connection.execute(IN_USE)).fetchone()
    left = [part for part in parts if part not in done]
    if left and not done and row and row[0]:
        # Fictional patients have no place among real ones.
        raise Conflict("demo.database-in-use")
    for part in left:
        await parts[part]()
        async with db.transaction() as tx:
            await tx.execute(MARK, (part, utc_now()))
    return bool(left)


def _parts(stage: Stage) -> dict[str, Callable[[], Awaitable[None]]]:
    stories = {f"consultation {story.number}": partial(_tell, stage, story) for story in _stories()}
    return {
        "network": partial(_load_network, stage),
        "records": partial(_import, stage, "records"),
        "pictures": partial(_import, stage, "pictures"),
        **stories,
    }


async def _load_network(stage: Stage) -> None:
    network = stage.folder / "network.yaml"
    loaded = await load_network(network, db=stage.db, store=stage.fhir, now=utc_now())
    async with stage.db.transaction() as tx:
        await set_peers(tx, peers_of(loaded.modalities))


async def _import(stage: Stage, name: str) -> None:
    tally = await import_into(
        stage.folder / name,
        db=stage.db,
        fhir=stage.fhir,
        archive=stage.archive,
        organisation=CUSTODIAN,
        console=stage.console,
    )
    for refused in tally.refusals.values():
        raise Malformed("demo.refused", file=refused.file, reason=refused.reason)


async def _tell(stage: Stage, story: Story) -> None:
    """Bring a consultation to where the demonstration wants it."""
    kept = Consultations(stage.db, stage.fhir)
    patient = await _patient(stage, story.number)
    begun = await _begun(stage, patient) or await _draft(stage, kept, patient, story.request)
    for step in story.steps:
        # A step taken before an interruption is no longer open.
        with suppress(Conflict):
            await step(kept, begun)


async def _patient(stage: Stage, number: str) -> str:
    wanted = ("identifier", f"{HOSPITAL_NUMBER}|{number}")
    async with stage.db.connection() as connection:
        (patient,) = await stage.fhir.find(connection, "Patient", wanted, actor=serai_itself)
    return str(patient["id"])


async def _begun(stage: Stage, patient: str) -> str | None:
    wanted = ("patient", f"Patient/{patient}")
    async with stage.db.connection() as connection:
        tasks = await stage.fhir.find(connection, "Task", wanted, actor=serai_itself)
    return str(tasks[0]["id"]) if tasks else None


async def _draft(stage: Stage, kept: Consultations, patient: str, request: Request) -> str:
    """The draft with all that its form suggests to send along."""
    asking = await _actor(kept, ASKING)
    drafted = await consultation.draft(kept, patient, request, actor=asking, now=utc_now())
    form = await consultation.desk(kept, stage.archive, drafted.id, actor=asking)
    await consultation.edit(
        kept,
        drafted.id,
        replace(request, attachments=tuple(sorted(form.usual))),
        version=drafted.version,
        actor=asking,
        now=utc_now(),
    )
    return drafted.id


async def _actor(kept: Consultations, login: str) -> Actor:
    async with kept.db.connection() as connection:
        return (await find_account(connection, login)).actor


def _step(act: Callable[..., Awaitable[object]], login: str, *words: object) -> Step:
    """An act by whoever signs in with that login."""

    async def taken(kept: Consultations, id: str) -> None:
        actor = await _actor(kept, login)
        await act(kept, id, *words, version=None, actor=actor, now=utc_now())

    return taken


def _assign(expert: str) -> Step:
    async def taken(kept: Consultations, id: str) -> None:
        practitioner = (await _actor(kept, expert)).practitioner
        await _step(consultation.assign, "lead.desk", practitioner)(kept, id)

    return taken


def _request(specialty: str, urgency: Urgency, reason: str, question: str, summary: str) -> Request:
    return Request(reason, question, summary, urgency, specialty, EXPERTS)


def _stories() -> tuple[Story, ...]:
    send = _step(consultation.send, ASKING)
    return _waiting(send), _asked_back(send), _answered(send)


def _waiting(send: Step) -> Story:
    """For the asked hospital's desk to assign."""
    return Story(
        "QS100201",
        _request(
            "radiology",
            Urgency.URGENT,
            "Cough for six weeks with weight loss; mass on chest CT",
            "What is the mass in the left upper lobe, and what should be done next here?",
            "58-year-old man. Cough for six weeks, 4 kg lost, no fever. CT without contrast "
            "on 9 November. No earlier CT to compare.",
        ),
        (send,),
    )


def _asked_back(send: Step) -> Story:
    """For the asking doctor to answer the expert's question."""
    return Story(
        "QS100203",
        _request(
            "cardiology",
            Urgency.ROUTINE,
            "Palpitations, twice a week, ten minutes each",
            "Is the resting ECG normal, and is a recording over 24 hours needed?",
            "50-year-old woman, obese, no syncope, no chest pain. Blood pressure normal.",
        ),
        (
            send,
            _assign("lead.cardiology"),
            _step(consultation.accept, "lead.cardiology"),
            _step(
                consultation.ask,
                "lead.cardiology",
                "Which medicines does she take, and what were potassium and TSH?",
            ),
        ),
    )


def _answered(send: Step) -> Story:
    """For the asking doctor to read the signed opinion."""
    return Story(
        "QS100202",
        _request(
            "neurology",
            Urgency.ROUTINE,
            "Headache for three months, hypertension",
            "Is there anything on the MR that explains the headache?",
            "56-year-old woman with hypertension and obesity. Dull headache on most mornings, "
            "neurological examination normal. Only a T1 sequence could be made.",
        ),
        (
            send,
            _assign("lead.neurology"),
            _step(consultation.accept, "lead.neurology"),
            _step(consultation.start, "lead.neurology"),
            _step(
                consultation.sign,
                "lead.neurology",
                Opinion(
                    findings="T1-weighted volume without contrast, face removed. Ventricles "
                    "and sulci of normal width, midline structures in place, no mass and no "
                    "displacement. Small vessel disease cannot be judged without T2 or FLAIR.",
                    conclusion="No cause of the headache on this examination, which is "
                    "limited to T1.",
                    advice="Measure blood pressure at home for two weeks and treat to below "
                    "130/80. Stop daily painkillers if there are any. MR with FLAIR only if "
                    "the headache changes or a deficit appears.",
                ),
            ),
        ),
    )
