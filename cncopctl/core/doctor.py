"""What may go wrong before it does: facts of an installation in, findings out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from cncopctl.core.faults import shown
from cncopctl.core.naming import REPORTER_SERVICE, SYNC_SERVICE, SYNC_TIMER, TARGET
from cncopctl.core.plan import Action, Plan, jobs_of
from cncopctl.core.schedule import Schedule, next_after, translate
from cncopctl.core.schedule.model import Continuous, Reboot
from cncopctl.core.schedule.nights import Night, nights
from cncopctl.core.spans import show_size, show_span

AHEAD = timedelta(days=400)
# The re-sync is weekly, and a machine may be off for a while.
_STALE = timedelta(days=15)
_SHORT = timedelta(days=60)
# The reporter tries again four times an hour.
_PILED_UP = timedelta(hours=2)
_FEW_BOOTS, _LONG_DELAY = 5, timedelta(hours=1)
_LEAST_FREE, _LEAST_SHARE = 1 << 30, 0.05


class Weight(StrEnum):
    """A PROBLEM wants something done; a NOTE is good to know."""

    PROBLEM = "problem"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: what it is about (a job, a unit, the machine), what is wrong, and what to do."""

    about: str
    what: str
    hint: str
    weight: Weight = Weight.PROBLEM


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What is known of an installed job; `destination` is "" where it is not on this machine."""

    id: str
    schedules: tuple[Schedule, ...]
    programs: frozenset[str] = frozenset()
    destination: str = ""
    is_catching_up: bool = False
    random_delay: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Space:
    """A file system: bytes that are free, and all."""

    free: int
    total: int


@dataclass(frozen=True, slots=True)
class Spooled:
    """What is in the spool: reports and mails that wait, for how long the oldest has, files that were no reports."""

    waiting: int = 0
    oldest: timedelta = timedelta()
    aside: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """All that findings are drawn from; what is not known is None, or empty.

    Args:
        plan: what a sync would do now, and its notes.
        refusal: why there is no such plan, and what to do about it.
        states: active states of our units by name, as systemd has them; empty without a manager.
        timers: the timers that ought to be active.
        space: file systems by the destinations of jobs; None for one that is not there.
        leftovers: runs that nobody closed, by id, with their jobs.
        history_obstacle: why the history cannot be used, and what to do about it.
        unrecorded: how many runs wait to be taken into it.
        spooled: what is in the spool.
        boots: how often the machine was booted within the last week.
        mail_obstacle: why nobody can be told by mail, where jobs ask for it, and what to do.
        waiting_mails: how many mails could not be sent yet.
    """

    now: datetime
    jobs: Sequence[JobFacts] = ()
    plan: Plan = field(default_factory=Plan)
    refusal: tuple[str, str] | None = None
    states: Mapping[str, str] = field(default_factory=dict)
    timers: Sequence[str] = ()
    synced_at: datetime | None = None
    machine_id: str = ""
    synced_machine_id: str = ""
    is_clock_synchronised: bool | None = None
    programs: frozenset[str] = frozenset()
    space: Mapping[str, Space | None] = field(default_factory=dict)
    leftovers: Mapping[str, str] = field(default_factory=dict)
    history_obstacle: tuple[str, str] = ("", "")
    unrecorded: int = 0
    spooled: Spooled = field(default_factory=Spooled)
    boots: int = 0
    has_unsaved_password: bool = False
    mail_obstacle: tuple[str, str] = ("", "")
    waiting_mails: int = 0


def findings(facts: Facts) -> list[Finding]:
    """Everything that is found, problems first."""
    found = [
        *_installed(facts),
        *_timers(facts),
        *_horizon(facts),
        *_machine(facts),
        *_runs(facts),
        *_spool(facts),
        *_programs(facts),
        *_spaces(facts),
        *(finding for job in facts.jobs for finding in _job(job, facts)),
        *_password(facts),
        *_mail(facts),
    ]
    return sorted(found, key=lambda finding: finding.weight is Weight.NOTE)


def _mail(facts: Facts) -> Iterator[Finding]:
    problem, hint = facts.mail_obstacle
    if problem:
        yield Finding("mail", f"jobs ask for mail, but {problem}", hint)
    if facts.waiting_mails:
        count = f"{facts.waiting_mails} mail{'' if facts.waiting_mails == 1 else 's'}"
        hint = "see what keeps them, in the logs of their runs or by: cncopctl mail-test ADDRESS"
        yield Finding("mail", f"{count} could not be sent yet", hint)


def _installed(facts: Facts) -> Iterator[Finding]:
    if facts.refusal:
        yield Finding("profile", facts.refusal[0], facts.refusal[1])
    by_hand = [step for step in facts.plan.steps if step.reason.endswith("by hand")]
    for step in by_hand:
        what = f"was {step.reason}"
        yield Finding(step.name, what, "mended by: cncopctl sync-profile; drop-ins (systemctl edit) stay")
    others = [step for step in facts.plan.steps if step not in by_hand and step.action is not Action.START]
    if others and not by_hand:
        concerned = ", ".join(jobs_of(others)[:5]) or others[0].name or others[0].reason
        yield Finding("profile", f"is not followed yet ({concerned})", "run: cncopctl sync-profile")


def _timers(facts: Facts) -> Iterator[Finding]:
    if not facts.states:
        return
    if facts.timers and facts.states.get(TARGET) != "active":
        yield Finding(TARGET, "is stopped: nothing fires", f"run: systemctl start {TARGET}")
        return
    for timer in facts.timers:
        if facts.states.get(timer) != "active" and timer != SYNC_TIMER:
            state = facts.states.get(timer, "not loaded")
            yield Finding(timer, f"is {state}: it starts nothing", "run: cncopctl sync-profile")


def _horizon(facts: Facts) -> Iterator[Finding]:
    if facts.states and facts.timers and facts.states.get(SYNC_TIMER, "inactive") != "active":
        what = "is not active: schedules that reach only so far ahead run out, and a new time zone is not followed"
        yield Finding(SYNC_TIMER, what, "run: cncopctl sync-profile")
    if facts.states.get(SYNC_SERVICE) == "failed":
        yield Finding(
            SYNC_SERVICE, "failed: schedules are not renewed", f"look at: journalctl -u {SYNC_SERVICE}"
        )
    if facts.synced_at is None or facts.now - facts.synced_at < _STALE:
        return
    age = show_span(facts.now - facts.synced_at)
    yield Finding(
        "profile", f"was synced {age} ago, which ought to happen weekly", "run: cncopctl sync-profile"
    )
    for job in facts.jobs:
        ends = [translate(schedule, now=facts.synced_at).horizon_end for schedule in job.schedules]
        end = min((each for each in ends if each), default=None)
        if end and end - facts.now < _SHORT:
            yield Finding(
                job.id, f"its timers are exact only until {end:%Y-%m-%d}", "run: cncopctl sync-profile"
            )


def _machine(facts: Facts) -> Iterator[Finding]:
    machine = facts.machine_id
    if len(machine) != 32 or len(set(machine)) == 1:
        what = f"the machine's id is {shown(machine) if machine else 'not set'}: starts are not spread over a fleet"
        yield Finding("machine", what, "run: systemd-machine-id-setup, then cncopctl sync-profile")
    elif facts.synced_machine_id not in ("", machine):
        what = "the machine's id is not that of the last sync: this looks like a copy of another machine"
        yield Finding(
            "machine", what, "run: cncopctl sync-profile; times that are chosen by the machine move"
        )
    if facts.is_clock_synchronised is False:
        what = "the clock is not synchronised: jobs run at wrong times if it is wrong"
        yield Finding(
            "machine", what, "run: timedatectl set-ntp true, and look at: timedatectl timesync-status"
        )


def _runs(facts: Facts) -> Iterator[Finding]:
    for run, job in facts.leftovers.items():
        what = f"run {run} was never closed: the machine or its manager went down in it"
        yield Finding(
            job, what, f"look at: journalctl INVOCATION_ID={run}; cncopctl runjob {shown(job)[1:-1]}"
        )

    count = "1 run waits" if facts.unrecorded == 1 else f"{facts.unrecorded} runs wait"
    waiting = f"; {count} to be taken into it" if facts.unrecorded else ""
    what, hint = facts.history_obstacle
    if what:
        yield Finding("history", f"{what}{waiting}", hint)
    elif facts.unrecorded:
        what = f"could not be used for a while{waiting}"
        yield Finding(
            "history", what, "nothing needs to be done: the next run that ends does it", Weight.NOTE
        )


def _spool(facts: Facts) -> Iterator[Finding]:
    spooled = facts.spooled
    if spooled.waiting and spooled.oldest > _PILED_UP:
        age = show_span(spooled.oldest)
        what = f"has {spooled.waiting} reports and mails that wait to be handed on, the oldest for {age}"
        yield Finding("spool", what, f"look at: journalctl -u {REPORTER_SERVICE}")
    if spooled.aside:
        what = f"has files that are no reports: {spooled.aside} were moved to its directory Bad"
        yield Finding("spool", what, "look at them, then remove them", Weight.NOTE)


def _programs(facts: Facts) -> Iterator[Finding]:
    needed: dict[str, list[str]] = {}
    for job in facts.jobs:
        for program in sorted(job.programs - facts.programs):
            needed.setdefault(program, []).append(job.id)
    for program, jobs in needed.items():
        package = {"ssh": "openssh-client"}.get(program, program)
        yield Finding(
            "machine", f"{program} is not installed, and {_several(jobs)} it", f"run: apt install {package}"
        )


def _several(jobs: Sequence[str]) -> str:
    return f"{jobs[0]} needs" if len(jobs) == 1 else f"{len(jobs)} jobs need"


def _spaces(facts: Facts) -> Iterator[Finding]:
    for job in facts.jobs:
        if not job.destination or job.destination not in facts.space:
            continue
        space = facts.space[job.destination]
        if space is None:
            what = f"its destination {shown(job.destination)} is not there"
            yield Finding(job.id, what, "is its disk mounted? if it is, make the directory")
        elif space.free < min(_LEAST_FREE * 10, max(_LEAST_FREE, space.total * _LEAST_SHARE)):
            what = f"only {show_size(space.free)} of {show_size(space.total)} are free at {shown(job.destination)}"
            yield Finding(job.id, what, "keep fewer snapshots (keep = …), or make room")


def _job(job: JobFacts, facts: Facts) -> Iterator[Finding]:
    for schedule in job.schedules:
        if not isinstance(schedule.rule, Continuous | Reboot) and next_after(schedule, facts.now) is None:
            what = f"{shown(schedule.text)} never fires again"
            yield Finding(job.id, what, "give the job another schedule, or enabled = false")
        for night in nights(schedule, facts.now, facts.now + AHEAD):
            yield _of_night(job, night)
    if job.is_catching_up and job.random_delay >= _LONG_DELAY and facts.boots >= _FEW_BOOTS:
        delay = show_span(job.random_delay)
        what = f"its random_delay of {delay} begins anew at each boot, and there were {facts.boots} within a week"
        yield Finding(job.id, what, "a run that was missed may never come: shorten random_delay")


def _of_night(job: JobFacts, night: Night) -> Finding:
    if night.sentence.endswith("does not run"):
        return Finding(
            job.id, night.sentence, 'move the schedule out of that hour, or leave out dst = "skip"'
        )
    return Finding(job.id, night.sentence, "nothing needs to be done", Weight.NOTE)


def _password(facts: Facts) -> Iterator[Finding]:
    if facts.has_unsaved_password:
        what = "without the repository password no backup opens, and it is on this machine"
        hint = "keep a copy somewhere else: cncopctl credential show repository-password; this is said once"
        yield Finding("repository", what, hint, Weight.NOTE)
