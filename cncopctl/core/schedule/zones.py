"""Time zones: which names are good on every supported system, and what stands for the others."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from cncopctl.core.schedule.errors import ScheduleError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

# Names without a region (and those of `US/`) live in the package tzdata-legacy since Debian 13, and
# systemd 257 refuses a calendar line that ends in one.
LEGACY = {
    "CET": "Europe/Brussels",
    "MET": "Europe/Brussels",
    "EET": "Europe/Athens",
    "WET": "Europe/Lisbon",
    "EST": "America/Panama",
    "MST": "America/Phoenix",
    "HST": "Pacific/Honolulu",
    "EST5EDT": "America/New_York",
    "CST6CDT": "America/Chicago",
    "MST7MDT": "America/Denver",
    "PST8PDT": "America/Los_Angeles",
    "GMT": "UTC",
    "Z": "UTC",
    "UCT": "UTC",
    "Zulu": "UTC",
    "GB": "Europe/London",
    "Eire": "Europe/Dublin",
    "Japan": "Asia/Tokyo",
    "PRC": "Asia/Shanghai",
    "ROC": "Asia/Taipei",
    "ROK": "Asia/Seoul",
    "NZ": "Pacific/Auckland",
    "Singapore": "Asia/Singapore",
    "Hongkong": "Asia/Hong_Kong",
    "Israel": "Asia/Jerusalem",
    "Turkey": "Europe/Istanbul",
    "Iran": "Asia/Tehran",
    "Egypt": "Africa/Cairo",
    "Libya": "Africa/Tripoli",
    "Poland": "Europe/Warsaw",
    "Portugal": "Europe/Lisbon",
    "Iceland": "Atlantic/Reykjavik",
    "Jamaica": "America/Jamaica",
    "Cuba": "America/Havana",
    "Navajo": "America/Denver",
    "Kwajalein": "Pacific/Kwajalein",
    "W-SU": "Europe/Moscow",
    "US/Eastern": "America/New_York",
    "US/Central": "America/Chicago",
    "US/Mountain": "America/Denver",
    "US/Pacific": "America/Los_Angeles",
    "US/Alaska": "America/Anchorage",
    "US/Hawaii": "Pacific/Honolulu",
    "US/Arizona": "America/Phoenix",
}


@lru_cache(maxsize=1024)
def checked_zone(name: str) -> str:
    """Return `name` if it can end a calendar line everywhere: UTC or Region/City.

    Raises:
        ScheduleError: there is no such zone, or newer systems lack it; the hint has the one to write.
    """
    if name == "UTC":
        return name
    if name in LEGACY or "/" not in name:
        raise ScheduleError(
            f"time zone {name!r} is not of the form Region/City",
            f"write {LEGACY.get(name, 'UTC or Region/City')}",
            field="timezone",
        )
    zone(name)
    return name


def zone(name: str) -> ZoneInfo:
    """Return the rules of a zone from the system's time zone database."""
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ScheduleError(f"there is no time zone {name!r}", nearest(name), field="timezone") from error


def nearest(name: str) -> str:
    """Return a hint with the zone whose name is most like `name`."""
    from difflib import get_close_matches
    from zoneinfo import available_timezones

    close = get_close_matches(name, sorted(zone for zone in available_timezones() if "/" in zone), n=1)
    return f"write {close[0]}" if close else "write UTC or Region/City, such as Europe/Berlin"
