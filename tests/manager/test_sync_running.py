"""Jobs that run while a sync changes things, and the life of a run: gate, lock, user's commands, close."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from .installation import Installation, job

SERVICE, TIMER = "cncop-job-a.service", "cncop-job-a.timer"
OK = """echo '{"phrase": "all is copied", "files": 3, "bytes": 5, "snapshot": "s1"}' >$CNCOP_RESULT"""


class Waiting:
    """An agent that runs until it is told to end: `begun` returns when it runs, `end` lets it go on."""

    def __init__(self, cncop: Installation) -> None:
        self.cncop = cncop
        home = cncop.manager.home
        self._up, self._down = home / "up", home / "down"
        for pipe in (self._up, self._down):
            os.mkfifo(pipe)
        cncop.agent(
            f"trap 'kill $!; exit 1' TERM\necho began >{self._up}\ncat {self._down} >&2 & wait $!\n{OK}"
        )

    def begin(self) -> None:
        self._start = self.cncop.manager.popen("systemctl", "--user", "start", SERVICE)
        self.wait_for_begin()

    def wait_for_begin(self) -> None:
        """Return when the agent is at work."""
        assert self.cncop.manager.run("cat", self._up, timeout=10).stdout == "began\n"

    def go_on(self) -> None:
        """Let the agent end."""
        self.cncop.manager.run("sh", "-c", f"echo go on >{self._down}", timeout=10)

    def end(self) -> None:
        """Let the agent end, and return when its service is down."""
        self.go_on()
        self.wait()

    def wait(self) -> None:
        """Return when the service is down; a run that was not told to end is waited for in vain."""
        self._start.wait(timeout=20)
        wait_for_close(self.cncop)

    def state(self) -> str:
        return self.cncop.manager.property(SERVICE, "ActiveState")


def wait_for_close(cncop: Installation) -> None:
    """Return when the run's ExecStopPost= lines are done.

    A start is over as soon as the main process is; a stop of what is going down anyway only waits for that.
    """
    cncop.manager.systemctl("stop", SERVICE)


@pytest.fixture
def waiting(cncop: Installation) -> Waiting:
    """A job `a` that runs, with an agent that waits."""
    agent = Waiting(cncop)
    cncop.synced(job("a"), job("b"))
    agent.begin()
    return agent


def test_a_running_job_survives_its_change_and_is_closed_as_it_began(waiting: Waiting) -> None:
    cncop = waiting.cncop
    run = cncop.manager.property(SERVICE, "InvocationID")
    cncop.synced(job("a", title="new title", schedule="0 4 1 7 *", timeout="2h"), job("b"))
    assert waiting.state() == "activating"
    assert cncop.manager.property(SERVICE, "Description") == "new title"
    waiting.end()
    (closed,) = cncop.history()
    assert (closed["id"], closed["outcome"], closed["phrase"]) == (run, "OK", "all is copied")
    assert cncop.reports() == [closed]
    assert cncop.steps() == {}


def test_a_running_job_that_is_removed_finishes_first(waiting: Waiting) -> None:
    cncop = waiting.cncop
    cncop.write(job("b"))
    done = cncop.sync()
    assert f"note: {SERVICE} is running: it may finish, and is removed by the next sync\n" in done.stdout
    assert (waiting.state(), cncop.active_timers()) == ("activating", {"cncop-job-b.timer"})
    waiting.end()
    (closed,) = cncop.history()
    assert (closed["job"], closed["outcome"]) == ("a", "OK")
    assert cncop.steps()[f"delete {SERVICE}"] == "no longer in the profile"
    assert list(cncop.compiled()) == ["b.toml"]
    assert cncop.steps() == {}


def test_a_run_that_begins_while_its_job_is_removed_may_finish(cncop: Installation) -> None:
    """The timer may fire after the sync has looked, and before it is stopped; here its stop starts the service."""
    agent = Waiting(cncop)
    cncop.synced(job("a"), job("b"))
    drop_in = cncop.units / f"{TIMER}.d" / "fires.conf"
    drop_in.parent.mkdir()
    drop_in.write_text(f"[Unit]\nOnSuccess={SERVICE}\n")
    cncop.manager.systemctl("daemon-reload")
    cncop.write(job("b"))
    done = cncop.sync()
    assert f"note: {SERVICE} is running: it may finish, and is removed by the next sync\n" in done.stdout
    agent.wait_for_begin()
    agent.go_on()
    wait_for_close(cncop)
    (closed,) = cncop.history()
    assert (closed["job"], closed["outcome"]) == ("a", "OK")
    assert cncop.steps()[f"delete {SERVICE}"] == "no longer in the profile"


def test_a_second_run_is_skipped_while_the_lock_is_held_and_says_by_whom(cncop: Installation) -> None:
    agent = Waiting(cncop)
    cncop.synced(job("a"))
    manager = cncop.manager
    gate = next(
        line.partition("=")[2]
        for line in (cncop.units / SERVICE).read_text().splitlines()
        if line.startswith("ExecStart=")
    )
    environment = {"INVOCATION_ID": "f" * 32}
    with manager.popen(
        "env", *(f"{name}={value}" for name, value in environment.items()), *gate.replace('"', "").split()
    ) as by_hand:
        assert manager.run("cat", manager.home / "up", timeout=10).stdout == "began\n"
        done = manager.run("systemctl", "--user", "start", SERVICE)
        assert done.returncode == 0
        wait_for_close(cncop)
        manager.run("sh", "-c", f"echo go on >{manager.home / 'down'}")
    (skipped,) = cncop.history()
    assert skipped["outcome"] == "SKIPPED"
    assert f"another run of this job is under way: run {'f' * 32} (process " in skipped["phrase"]
    assert cncop.reports() == []
    assert agent.state() == "inactive"
    assert by_hand.returncode == 0


def test_stopping_the_target_stops_the_run_which_is_closed(waiting: Waiting) -> None:
    cncop = waiting.cncop
    cncop.manager.systemctl("stop", "cncop.target")
    waiting.wait()
    (closed,) = cncop.history()
    assert (closed["outcome"], closed["phrase"]) == (
        "ABORTED",
        "was stopped before it was done, by systemd (systemctl stop)",
    )


def test_a_killed_run_is_closed_and_reported(waiting: Waiting) -> None:
    cncop = waiting.cncop
    # Of all processes, 257 would also kill the close, which begins as soon as the first of them is gone.
    cncop.manager.systemctl("kill", "--kill-whom=main", "--signal=KILL", SERVICE)
    waiting.wait()
    (closed,) = cncop.history()
    assert (closed["outcome"], closed["phrase"]) == ("ABORTED", "was killed by signal KILL")
    assert cncop.reports() == [closed]


def run_job(cncop: Installation) -> dict[str, object]:
    """Run job `a` to its end; its record."""
    cncop.manager.systemctl("start", SERVICE, check=False)
    wait_for_close(cncop)
    return cncop.history()[-1]


def test_user_commands_surround_a_run_and_know_its_facts(cncop: Installation) -> None:
    log = cncop.manager.home / "log"
    cncop.command("before", f"echo before $CNCOP_JOB $CNCOP_RUN >>{log}")
    cncop.command("good", f'echo "good $CNCOP_OUTCOME $CNCOP_SNAPSHOT $CNCOP_PHRASE" >>{log}')
    cncop.command("bad", f"echo bad >>{log}")
    cncop.agent(f"echo agent >>{log}; {OK}")
    cncop.synced(job("a", run_before="before", run_after_success="good", run_after_failure="bad"))
    run = run_job(cncop)
    assert run["outcome"] == "OK"
    assert log.read_text() == f"before a {run['id']}\nagent\ngood OK s1 all is copied\n"


def test_a_run_before_that_fails_ends_the_run_as_an_error_without_the_agent(cncop: Installation) -> None:
    log = cncop.manager.home / "log"
    cncop.command("before", "exit 3")
    cncop.command("bad", f'echo "bad $CNCOP_OUTCOME: $CNCOP_PHRASE" >>{log}')
    cncop.agent(f"echo agent >>{log}")
    cncop.synced(job("a", run_before="before", run_after_failure="bad"))
    run = run_job(cncop)
    assert (run["outcome"], run["phrase"]) == ("ERROR", "run_before: before ended with status 3")
    assert log.read_text() == "bad ERROR: run_before: before ended with status 3\n"
    assert [report["outcome"] for report in cncop.reports()] == ["ERROR"]


def test_a_failed_run_calls_the_command_for_failures(cncop: Installation) -> None:
    log = cncop.manager.home / "log"
    cncop.command("good", f"echo good >>{log}")
    cncop.command("bad", f"echo bad $CNCOP_OUTCOME >>{log}")
    cncop.agent("echo trouble >&2; exit 9")
    cncop.synced(job("a", run_after_success="good", run_after_failure="bad"))
    run = run_job(cncop)
    assert run["outcome"] == "ERROR"
    assert run["phrase"] == "the agent ended with status 9 and left no result: its log has more"
    assert log.read_text() == "bad ERROR\n"
    assert "trouble" in Path(str(run["log"])).read_text()


def test_a_command_that_others_may_write_by_now_is_not_run(cncop: Installation) -> None:
    log = cncop.manager.home / "log"
    command = cncop.command("before", f"echo before >>{log}")
    cncop.agent(f"echo agent >>{log}; {OK}")
    cncop.synced(job("a", run_before="before"))
    command.chmod(0o777)
    run = run_job(cncop)
    assert run["outcome"] == "ERROR"
    assert str(run["phrase"]).startswith("run_before: before may not be run: others can write /")
    assert not log.exists()


def cron(instant: datetime) -> str:
    """A schedule of one instant of each day, in UTC."""
    return f"{instant.minute} {instant.hour} * * *"


def test_a_changed_schedule_does_not_fire_for_an_instant_before_the_change(cncop: Installation) -> None:
    manager = cncop.manager
    ran = manager.home / "ran"
    cncop.agent(f"echo >>{ran}; {OK}")
    stamp = manager.home / f".local/share/systemd/timers/stamp-{TIMER}"
    cncop.synced(job("a", timezone="UTC"))
    # The timer fired last two days ago: systemd believes that it has missed the new instant since.
    manager.systemctl("stop", TIMER)
    long_ago = (datetime.now(UTC) - timedelta(days=2)).timestamp()
    os.utime(stamp, (long_ago, long_ago))
    manager.systemctl("start", TIMER)
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    with manager.popen("journalctl", "-f", "-n0", "-ocat", stdout=-1) as journal:
        assert journal.stdout
        cncop.synced(job("a", schedule=cron(hour_ago), timezone="UTC"))
        refused = "a: not due: its schedule was changed, and has had no time since\n"
        assert any(line == refused for line in journal.stdout)
        journal.terminate()
    assert not ran.exists()
    assert not (cncop.state / "history.sqlite").exists()
    assert cncop.active_timers() == {TIMER}


def test_a_timer_of_a_job_fires_and_runs_it(cncop: Installation) -> None:
    cncop.agent(OK)
    ran = cncop.manager.home / "ran"
    os.mkfifo(ran)
    cncop.command("good", f"echo yes >{ran}")
    cncop.synced(job("a", schedule="* * * * * *", timezone="UTC", run_after_success="good"))
    assert cncop.manager.run("cat", ran, timeout=20).stdout == "yes\n"
    cncop.manager.systemctl("stop", TIMER)
    wait_for_close(cncop)
    assert cncop.history()[0]["outcome"] == "OK"
