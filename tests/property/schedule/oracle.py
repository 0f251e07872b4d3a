"""What an expression means, by brute force from its raw text, apart from everything under test.

Slow and plain on purpose: sets of numbers, a loop over days, a loop over minutes.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
MONTH_NAMES = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
DAY_NAMES = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


class Oracle:
    """One expression of five or six fields, without names for chosen values (`H`, `~`)."""

    def __init__(self, text: str) -> None:
        self.words = text.upper().split()
        minute, hour, self.dom, month, self.dow = self.words[:5]
        second = self.words[5] if len(self.words) == 6 else "0"
        self.minutes = numbers(minute, 0, 59)
        self.hours = numbers(hour, 0, 23)
        self.seconds = sorted(numbers(second, 0, 59))
        self.months = numbers(named(month, MONTH_NAMES, 1), 1, 12)
        self.starred = minute.startswith("*") or hour.startswith("*")
        self.either = self.dom[0] not in "*?" and self.dow[0] not in "*?"
        self.plain_days, self.odd_days = split(self.dom.replace("?", "*"), r".*[LW].*")
        self.day_numbers = numbers(self.plain_days, 1, 31)
        self.plain_weekdays, self.odd_weekdays = split(
            named(self.dow.replace("?", "*"), DAY_NAMES, 0), r".*[L#].*"
        )
        self.weekdays = {n % 7 for n in weekday_numbers(self.plain_weekdays)}

    def has_day(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_number = day.day in self.day_numbers or any(odd_day(term, day) for term in self.odd_days)
        weekday = day.isoweekday() % 7
        by_weekday = weekday in self.weekdays or any(odd_weekday(term, day) for term in self.odd_weekdays)
        return by_number or by_weekday if self.either else by_number and by_weekday

    def has_minute(self, local: datetime) -> bool:
        return local.minute in self.minutes and local.hour in self.hours and self.has_day(local.date())

    def after(self, base: datetime, count: int, days: int = 20_000) -> list[datetime]:
        """Return the next `count` UTC instants after `base`, looking so many days ahead."""
        found: list[datetime] = []
        day = base.date()
        for _ in range(days):
            if day.year > 2199 or len(found) >= count:
                break
            if self.has_day(day):
                found += self.on_day(day, base, count - len(found))
            day += DAY
        return found

    def on_day(self, day: date, base: datetime, count: int) -> list[datetime]:
        found: list[datetime] = []
        for hour in sorted(self.hours):
            for minute in sorted(self.minutes):
                for second in self.seconds:
                    instant = datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=UTC)
                    if instant > base:
                        found.append(instant)
                    if len(found) >= count:
                        return found
        return found

    def around(self, start: datetime, end: datetime, zone: str, catch_up: bool = True) -> list[datetime]:
        """Return the instants from `start` to before `end` (whole UTC minutes) in a zone, minute by minute."""
        rules = ZoneInfo(zone)
        found: list[datetime] = []
        shown = max(
            wall(start - n * MINUTE, rules) for n in range(1, 60 * 26)
        )  # the furthest that the clocks have come
        instant = start
        while instant < end:
            local = wall(instant, rules)
            lost = (shown + n * MINUTE for n in range(1, round((local - shown) / MINUTE)))
            fires = self.has_minute(local)
            if self.starred and catch_up:
                seconds = self.seconds if fires else []
            elif local <= shown:
                seconds = []
            else:
                seconds = self.seconds if fires else []
                if catch_up and any(self.has_minute(minute) for minute in lost):
                    seconds = sorted({0, *seconds})
            found += [instant + timedelta(seconds=second) for second in seconds]
            shown = max(shown, local)
            instant += MINUTE
        return found


def wall(instant: datetime, rules: ZoneInfo) -> datetime:
    return instant.astimezone(rules).replace(tzinfo=None, fold=0)


def named(text: str, names: list[str], first: int) -> str:
    for number, name in enumerate(names, first):
        text = text.replace(name, str(number))
    return text


def split(text: str, odd: str) -> tuple[str, list[str]]:
    terms = text.split(",")
    return ",".join(t for t in terms if not re.fullmatch(odd, t)), [t for t in terms if re.fullmatch(odd, t)]


def numbers(text: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for term in text.split(",") if text else []:
        base, _, step = term.partition("/")
        if base == "*":
            walk = list(range(low, high + 1))
        elif "-" in base:
            a, b = (int(end) for end in base.split("-"))
            walk = [a]
            while walk[-1] != b:
                walk.append(walk[-1] + 1 if walk[-1] < high else low)
        else:
            walk = list(range(int(base), high + 1)) if step else [int(base)]
        found.update(walk[n] for n in range(0, len(walk), int(step or 1)))
    return found


def weekday_numbers(text: str) -> set[int]:
    found: set[int] = set()
    for term in text.split(",") if text else []:
        if term.startswith("*"):
            found |= numbers(term, 0, 6)
        elif "-" in term and int(term.split("-")[0]) > int(re.split("[-/]", term)[1]):
            found |= numbers(re.sub("^0*7", "0", term), 0, 6)
        else:
            found |= numbers(term, 0, 7)
    return found


def month_days(day: date) -> list[date]:
    first = day.replace(day=1)
    return [d for d in (first + n * DAY for n in range(31)) if d.month == day.month]


def odd_day(term: str, day: date) -> bool:
    month = month_days(day)
    if term in ("LW", "WL"):
        return day == [d for d in month if d.isoweekday() < 6][-1]
    if term.startswith("L"):
        back = int(term[2:] or 0)
        return back < len(month) and day == month[-1 - back]
    number = int(term[:-1])
    if number > len(month):
        return False
    target = month[number - 1]
    return day == min((d for d in month if d.isoweekday() < 6), key=lambda d: abs((d - target).days))


def odd_weekday(term: str, day: date) -> bool:
    if "#" in term:
        weekday, which = (int(part) for part in term.split("#"))
        same = [d for d in month_days(day) if d.isoweekday() % 7 == weekday % 7]
        return which <= len(same) and day == same[which - 1]
    same = [d for d in month_days(day) if d.isoweekday() % 7 == int(term.replace("L", "")) % 7]
    return day == same[-1]
