"""Drawing expressions from the whole grammar, the same ones for the same seed."""

from __future__ import annotations

from random import Random

MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


def draw(random: Random, *, plain: bool = False) -> str:
    """Return an expression of five fields, or of six; a plain one has no L, W or # and five fields."""
    fields = [
        element_list(random, 0, 59),
        element_list(random, 0, 23),
        "*" if random.random() < 0.45 else day(random, plain),
        "*" if random.random() < 0.55 else element_list(random, 1, 12, MONTHS),
        "*" if random.random() < 0.45 else weekday(random, plain),
    ]
    if not plain and random.random() < 0.3:
        fields.append(element_list(random, 0, 59))
    text = " ".join(fields)
    return text.lower() if random.random() < 0.1 else text


def element_list(random: Random, low: int, high: int, names: list[str] | None = None) -> str:
    count = random.choice([1, 1, 1, 1, 2, 2, 3, 5])
    return ",".join(element(random, low, high, names) for _ in range(count))


def element(random: Random, low: int, high: int, names: list[str] | None = None) -> str:
    """Return a star, value, range (one in four goes round) or step."""

    def value(number: int) -> str:
        if names and random.random() < 0.4:
            return names[(number - low) % len(names)]
        return f"{number:0{random.choice([1, 1, 1, 2, 3])}}"

    kind = random.randrange(12)
    a, b = random.randint(low, high), random.randint(low, high)
    if random.random() < 0.75:
        a, b = min(a, b), max(a, b)
    step = random.choice([1, 2, 2, 3, 4, 5, 7, 10, 15, 20, 25, 40, 99])
    if kind < 5:
        return value(a)
    if kind < 7:
        return "*"
    if kind < 8:
        return f"*/{step}"
    if kind < 10:
        return f"{value(a)}-{value(b)}"
    return f"{value(a)}-{value(b)}/{step}" if kind < 11 else f"{value(a)}/{step}"


def day(random: Random, plain: bool) -> str:
    def term() -> str:
        kind = random.randrange(10) if not plain else 9
        if kind == 0:
            return "L"
        if kind == 1:
            return f"L-{random.randint(0, 30)}"
        if kind == 2:
            return f"{random.choice([1, 2, 15, 27, 28, 29, 30, 31, random.randint(1, 31)])}W"
        if kind == 3:
            return random.choice(["LW", "WL"])
        if kind == 4:
            return "?"
        return element(random, 1, 31)

    return ",".join(term() for _ in range(random.choice([1, 1, 1, 2, 3])))


def weekday(random: Random, plain: bool) -> str:
    def term() -> str:
        kind = random.randrange(8) if not plain else 7
        which = random.choice([*"01234567", *DAYS])
        if kind == 0:
            return f"{which}#{random.randint(1, 5)}"
        if kind == 1:
            return f"{which}L"
        if kind == 2:
            return f"L{which}"
        if kind == 3:
            return "?"
        return element(random, 0, 7, DAYS)

    return ",".join(term() for _ in range(random.choice([1, 1, 1, 2, 3])))


# Fields of schedules that run at night, the more usual ones more often.
NIGHT_MINUTES = [
    "0",
    "30",
    "15",
    "59",
    "*",
    "*/15",
    "*/20",
    "0-30",
    "5,35",
    "45",
    "0-59/10",
    "10-50/7",
    "*/7",
]
NIGHT_HOURS = [
    "0",
    "1",
    "2",
    "3",
    "*",
    "*/2",
    "0-5",
    "1-3",
    "23",
    "0,2",
    "2,12",
    "22-3",
    "*/3",
    "0-23/4",
    "4",
]
NIGHT_DAYS = ["*", "*", "*", "*", "*", "*", "L", "LW", "1-7", "*/2", "31", "25-31", "26", "L-3", "1W"]
NIGHT_MONTHS = ["*", "*", "*", "*", "*", "*", "3,10", "3", "9-11", "*/2"]
NIGHT_WEEKDAYS = ["*", "*", "*", "*", "*", "*", "0", "SUN", "FRI-SUN", "0L", "0#2", "5L", "SAT"]
NIGHT_SECONDS = ["", "", "", "", "", " 30", " 0,59", " */20"]


def draw_near_change(random: Random) -> str:
    """Return an expression with many times between 22:00 and 05:00, when clocks change."""
    day = " ".join(random.choice(field) for field in (NIGHT_DAYS, NIGHT_MONTHS, NIGHT_WEEKDAYS))
    time = f"{random.choice(NIGHT_MINUTES)} {random.choice(NIGHT_HOURS)}"
    return f"{time} {day}{random.choice(NIGHT_SECONDS)}"
