"""Blackouts: runs that timers start in them are dropped, moved or reported; people's starts are not kept back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from .installation import CNCOPCTL, Installation, job
from .timer_starts import EVERY_SECOND, TimerStarts

SERVICE = "cncop-job-a.service"


def calendar(end: datetime | None = None) -> dict[str, Any]:
    """A calendar with a span that has begun and ends at `end`, far away where that is not given."""
    now = datetime.now(UTC)
    end = end or now + timedelta(days=3)
    return {
        "holidays": {
            "dates": [f"{now - timedelta(days=1):%Y-%m-%dT%H:%M:%S}..{end:%Y-%m-%dT%H:%M:%S}"],
            "timezone": "UTC",
        }
    }


def test_a_run_in_a_blackout_is_dropped_and_says_why(cncop: Installation, starts: TimerStarts) -> None:
    cncop.write(job("a", schedule=EVERY_SECOND, blackout="holidays"), calendar=calendar())
    cncop.sync()
    run = starts.next()
    assert run["outcome"] == "SKIPPED"
    assert run["phrase"].startswith("in the blackout holidays until ")


def test_a_run_in_a_blackout_is_only_reported_where_asked(cncop: Installation, starts: TimerStarts) -> None:
    cncop.write(
        job("a", schedule=EVERY_SECOND, blackout=["holidays"], in_blackout="report"), calendar=calendar()
    )
    cncop.sync()
    run = starts.next()
    assert run["outcome"] == "OK"
    assert run["warnings"][0].startswith("began in the blackout holidays until ")


def test_a_run_in_a_blackout_is_moved_to_its_end_once(cncop: Installation, starts: TimerStarts) -> None:
    due = datetime.now(UTC) + timedelta(seconds=6)
    end = (due + timedelta(seconds=6)).replace(microsecond=0)
    cncop.write(
        job("a", schedule=f"{due:%M %H * * * %S}", timezone="UTC", blackout="holidays", in_blackout="move"),
        calendar=calendar(end),
    )
    cncop.sync()
    first, second = starts.next(), starts.next()
    assert first["outcome"] == "SKIPPED"
    assert first["phrase"].endswith(", and is made up for then")
    assert second["outcome"] == "OK"
    assert end <= datetime.fromisoformat(second["started"]) <= end + timedelta(seconds=15)
    assert cncop.steps() == {}


def test_a_run_that_somebody_has_made_by_hand_is_not_moved(cncop: Installation, starts: TimerStarts) -> None:
    due = datetime.now(UTC) + timedelta(seconds=6)
    # A timer that elapses while its service still runs is dropped: the run by hand needs its time.
    end = due + timedelta(seconds=20)
    cncop.write(
        job("a", schedule=f"{due:%M %H * * * %S}", timezone="UTC", blackout="holidays", in_blackout="move"),
        calendar=calendar(end),
    )
    cncop.sync()
    assert starts.next()["outcome"] == "SKIPPED"
    cncop.manager.systemctl("start", SERVICE)
    starts.wait_for("a blackout has ended, and no run is owed")
    assert [run["outcome"] for run in cncop.history()] == ["SKIPPED", "OK"]


def test_a_persons_start_in_a_blackout_runs_and_is_noted(cncop: Installation) -> None:
    cncop.write(job("a", blackout="holidays"), calendar=calendar())
    cncop.sync()
    done = cncop.manager.run(CNCOPCTL, "runjob", "--user", "a")
    assert "a: OK: all is copied" in done.stdout
    assert "warning: began in the blackout holidays" in done.stdout
    assert "runs all the same, as somebody has started it" in cncop.manager.journal(SERVICE)


def test_a_changed_calendar_file_is_followed_by_the_next_sync(cncop: Installation) -> None:
    calendars = cncop.config / "calendars"
    calendars.mkdir()
    (calendars / "days.txt").write_text("2026-05-01  # a holiday\n")
    cncop.write(job("a", blackout="days", in_blackout="move"), calendar={"days": {"file": "days.txt"}})
    cncop.sync()
    before, starts = cncop.compiled(), cncop.starts()
    (calendars / "days.txt").write_text("2099-05-01\n")
    assert "compile a" in cncop.steps()
    assert cncop.compiled() != before
    assert cncop.starts().get("cncop-job-a.timer") == starts["cncop-job-a.timer"]
    assert cncop.steps() == {}
