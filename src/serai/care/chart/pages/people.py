"""Find a patient, or register one."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from serai.care.chart import actions
from serai.care.chart.model import Identifier, Numbering, Registration, Sex
from serai.care.chart.pages.words import NUMBERINGS, banner, charts_of
from serai.kernel.clock import utc_now
from serai.kernel.errors import Conflict, Invalid
from serai.web.authentication import require_staff
from serai.web.forms import Form, parse_form
from serai.web.rendering import render, see_other

CLINICAL = ("doctor", "expert", "desk")
FIELD_OF = {
    "chart.name-missing": "family",
    "chart.born-in-future": "birth_date",
    "chart.born-too-long-ago": "birth_date",
    "chart.number-missing": "number",
}


async def find(request: Request) -> Response:
    actor = require_staff(request, *CLINICAL)
    text = request.query_params.get("q", "")[:200]
    found = await actions.find(charts_of(request), text, actor=actor)
    return render(
        request,
        "care/chart/find.html",
        fragment="results",
        text=text,
        people=[(person, banner(person)) for person in found],
        may_register=actor.may("c", "Patient"),
    )


async def new(request: Request) -> Response:
    require_staff(request, *CLINICAL)
    name = request.query_params.get("name", "")[:100]
    return _form(request, Form.blank(family=name, sex="", numbering=Numbering.NATIONAL.value))


async def register(request: Request) -> Response:
    actor = require_staff(request, *CLINICAL)
    form = await parse_form(request)
    registration = _registration(form)
    if form.errors:
        return _form(request, form, status=422)
    charts, now = charts_of(request), utc_now()
    despite = frozenset(form.list("despite"))
    try:
        person = await actions.register(charts, registration, despite=despite, actor=actor, now=now)
    except Invalid as error:
        form.refuse(FIELD_OF.get(error.key, "family"), error.key, **error.details)
        return _form(request, form, status=422)
    except Conflict:
        alike = await actions.look_alikes(charts, registration, actor=actor, now=now)
        return _form(
            request, form, alike=[banner(one) | {"id": one.id} for one in alike], status=409
        )
    return see_other(f"/patients/{person.id}", flash="chart.registered")


def _form(
    request: Request, form: Form, *, alike: list[dict[str, object]] | None = None, status: int = 200
) -> Response:
    return render(
        request,
        "care/chart/register.html",
        status=status,
        form=form,
        alike=alike or [],
        numberings=NUMBERINGS,
    )


def _registration(form: Form) -> Registration:
    number = form.text("number", longest=64)
    numbering = form.choice("numbering", [one.value for one in Numbering], required=bool(number))
    sex = form.choice("sex", [one.value for one in Sex])
    return Registration(
        family=form.text("family", longest=100),
        given=form.text("given", longest=100),
        other_name=form.text("other_name", longest=200),
        sex=Sex(sex or "unknown"),
        birth_date=form.date("birth_date", required=True),
        identifier=Identifier(numbering, number) if number and numbering else None,
        phone=form.text("phone", longest=50),
        address=form.text("address", longest=300),
    )
