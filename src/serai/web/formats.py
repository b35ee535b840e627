"""Dates, durations, ages and numbers as the reader writes them (CLDR), in the reader's zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from babel.dates import format_date, format_skeleton, format_timedelta
from babel.numbers import format_decimal
from babel.units import format_unit
from markupsafe import Markup

from serai.kernel.clock import utc_now
from serai.web.languages import npgettext
from serai.web.reader import current_reader

Moment = datetime | date | str

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def when(moment: Moment | None) -> Markup:
    """Date and time as a `<time>` element."""
    instant = _instant(moment)
    return _time(instant, _date_and_time(instant)) if instant else day(moment)


def day(moment: Moment | None) -> Markup:
    """The calendar day; partial FHIR dates (1950, 1950-05) stay partial."""
    if not moment:
        return Markup("")
    instant = _instant(moment)
    if instant:
        moment = instant.astimezone(current_reader().zone).date()
    return Markup("<time datetime='{}'>{}</time>").format(str(moment), _calendar(moment))


def ago(moment: Moment | None, now: datetime | None = None) -> Markup:
    """How long ago; a script keeps it fresh, the title tells the exact time."""
    instant = _instant(moment)
    if not instant:
        return day(moment)
    spoken = format_timedelta(
        instant - (now or utc_now()), add_direction=True, locale=current_reader().locale
    )
    return Markup("<time datetime='{}' data-ago title='{}'>{}</time>").format(
        instant.isoformat(), _date_and_time(instant), spoken
    )


def waited(duration: timedelta | float | None) -> str:
    """A duration in its two largest units: 2 h 5 min, 3 d 4 h."""
    if duration is None:
        return ""
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    minutes = int(max(seconds, 0)) // MINUTE
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    if days:
        return _units((days, "duration-day"), (hours, "duration-hour"))
    if hours:
        return _units((hours, "duration-hour"), (minutes, "duration-minute"))
    return _unit(minutes, "duration-minute")


def age(born: str | date | None, on: date | None = None) -> str:
    """Age as clinicians say it: days below a month, months below two years, then years."""
    birth = _first_day(born)
    if birth is None:
        return ""
    today = on or utc_now().astimezone(current_reader().zone).date()
    months = (today.year - birth.year) * 12 + today.month - birth.month - (today.day < birth.day)
    if len(str(born)) < len("1950-05-01"):
        return _years(max(today.year - birth.year, 0))
    if months < 1:
        days = max((today - birth).days, 0)
        return npgettext("age", "%(num)s day", "%(num)s days", days) % {"num": days}
    if months < 24:
        return npgettext("age", "%(num)s month", "%(num)s months", months) % {"num": months}
    return _years(months // 12)


def _years(years: int) -> str:
    return npgettext("age", "%(num)s year", "%(num)s years", years) % {"num": years}


def number(value: float | None) -> str:
    return "" if value is None else str(format_decimal(value, locale=current_reader().locale))


def territory(code: str) -> str:
    """The name of an ISO 3166 country in the reader's language."""
    return str(current_reader().locale.territories.get(code, code))


def _unit(count: int, unit: str) -> str:
    return format_unit(count, unit, length="short", locale=current_reader().locale)


def _units(*counted: tuple[int, str]) -> str:
    return " ".join(_unit(count, unit) for count, unit in counted if count)


def _instant(moment: Moment | None) -> datetime | None:
    if isinstance(moment, str) and "T" in moment:
        moment = datetime.fromisoformat(moment)
    if isinstance(moment, datetime):
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def _first_day(moment: str | date | None) -> date | None:
    if not moment:
        return None
    if isinstance(moment, date):
        return moment
    year, month, day_ = (*moment[:10].split("-"), "1", "1")[:3]
    return date(int(year), int(month), int(day_))


def _time(instant: datetime, text: str) -> Markup:
    return Markup("<time datetime='{}'>{}</time>").format(instant.isoformat(), text)


def _date_and_time(instant: datetime) -> str:
    """Hours from 00 to 23: nobody may mistake a clinical time by half a day."""
    locale, zone = current_reader().locale, current_reader().zone
    day_ = format_skeleton("yMMMd", instant, tzinfo=zone, locale=locale)
    time = format_skeleton("Hm", instant, tzinfo=zone, locale=locale)
    pattern = str(locale.datetime_formats["medium"])
    return pattern.replace("'", "").replace("{1}", day_).replace("{0}", time)


def _calendar(moment: date | str) -> str:
    locale = current_reader().locale
    if isinstance(moment, date):
        return str(format_date(moment, "medium", locale=locale))
    first = _first_day(moment)
    skeleton = {4: "y", 7: "yMMM"}.get(len(moment), "yMMMd")
    return str(format_skeleton(skeleton, first, locale=locale))
