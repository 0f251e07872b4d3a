"""A sync changes what differs and nothing else, and says why."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .installation import CNCOPCTL, NEVER_SOON, Installation, job
from .user_manager import UserManager

TIMER, SERVICE = "cncop-job-a.timer", "cncop-job-a.service"
WATCH_RELOADS = Path(__file__).with_name("watch_reloads.py")
LINK = f"cncop.target.wants/{TIMER}"


@pytest.fixture
def cncop(manager: UserManager) -> Installation:
    """An installation on a manager of its own, with two jobs synced."""
    installation = Installation(manager)
    installation.synced(job("a"), job("b", title="Ünsere Daten 100%"))
    return installation


def test_a_second_sync_writes_nothing_reloads_nothing_and_says_so(cncop: Installation) -> None:
    before, loaded, starts = cncop.traces(), cncop.loaded_at(), cncop.starts()
    for _ in range(2):
        done = cncop.sync()
        assert done.stdout == f"2 jobs, nothing to do: {cncop.units} matches the profile\n"
    assert cncop.traces() == before
    assert (cncop.loaded_at(), cncop.starts()) == (loaded, starts)
    assert cncop.steps() == {}


def test_a_sync_with_a_program_that_is_newer_changes_only_what_it_remembers(cncop: Installation) -> None:
    (cncop.state / "last-sync.json").unlink()
    before, loaded = cncop.unit_files(), cncop.loaded_at()
    assert cncop.steps() == {}
    assert (cncop.unit_files(), cncop.loaded_at()) == (before, loaded)


def test_a_new_and_a_changed_and_a_removed_job_restart_no_other_timer(cncop: Installation) -> None:
    before = cncop.starts()
    cncop.write(job("b", title="b", schedule="0 4 1 7 *"), job("c"))
    steps = cncop.steps()
    assert steps["compile c"] == steps["compile c"] == "new job"
    assert steps["write cncop-job-b.timer"] == "changed"
    assert steps["delete cncop-job-a.timer"] == "no longer in the profile"
    after = cncop.starts()
    assert set(after) == {"cncop-job-b.timer", "cncop-job-c.timer"}
    assert after["cncop-job-b.timer"] == before["cncop-job-b.timer"]


def test_a_changed_schedule_is_followed_without_a_restart(cncop: Installation) -> None:
    starts = cncop.starts()
    assert cncop.next_elapse(TIMER)[4:].partition(" ")[0][5:] == "01-01"
    cncop.synced(job("a", schedule="0 4 1 7 *", timezone="UTC"), job("b", title="Ünsere Daten 100%"))
    assert cncop.next_elapse(TIMER)[4:].partition(" ")[0][5:] == "07-01"
    assert cncop.starts() == starts
    assert cncop.manager.property(SERVICE, "ActiveState") == "inactive"


def test_one_reload_serves_any_number_of_changes(cncop: Installation) -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with cncop.manager.popen(sys.executable, WATCH_RELOADS, **pipes) as watch:
        assert watch.stdout
        assert watch.stdout.readline() == "ready\n"
        cncop.synced(*(job(f"n{number}") for number in range(30)))
        said = watch.communicate()[0].split()
    assert said == ["true", "false"]


def test_a_removed_job_leaves_nothing_but_its_history_and_backups(cncop: Installation) -> None:
    stamps = cncop.manager.home / ".local/share/systemd/timers"
    backups = cncop.manager.home / ".local/share/cncop/backups"
    assert (stamps / f"stamp-{TIMER}").exists()
    cncop.synced(job("b"))
    assert not [path for path in cncop.unit_files() if "job-a" in path]
    assert list(cncop.compiled()) == ["b.toml"]
    assert [path.name for path in stamps.glob("stamp-cncop-job-*")] == ["stamp-cncop-job-b.timer"]
    assert sorted(path.name for path in backups.iterdir()) == ["a", "b"]
    units = cncop.manager.systemctl("list-units", "--all", "--plain", "--no-legend", "cncop-job-*")
    assert "cncop-job-a" not in units


@pytest.mark.parametrize(
    "values", [{"catch_up": False}, {"enabled": False}, {"schedule": ["@daily", "@weekly"]}]
)
def test_jobs_of_every_kind_can_be_removed(manager: UserManager, values: dict[str, Any]) -> None:
    installation = Installation(manager)
    installation.synced(job("a", **values))
    installation.synced()
    assert [path for path in installation.unit_files() if "job-" in path] == []
    assert installation.active_timers() == set()
    assert installation.sync().stdout.startswith("0 jobs, nothing to do")


def test_a_schedule_more_and_one_less(cncop: Installation) -> None:
    starts = cncop.starts()[TIMER]
    cncop.synced(job("a", schedule=[NEVER_SOON, "0 5 1 8 *"]), job("b"))
    assert cncop.active_timers() == {TIMER, "cncop-job-a:2.timer", "cncop-job-b.timer"}
    assert cncop.manager.property("cncop-job-a:2.timer", "Unit") == SERVICE
    cncop.synced(job("a"), job("b"))
    assert cncop.active_timers() == {TIMER, "cncop-job-b.timer"}
    assert cncop.starts()[TIMER] == starts


@pytest.mark.parametrize("prune", ["--prune", "--no-prune"])
def test_a_disabled_job_keeps_its_service_and_loses_its_timer(cncop: Installation, prune: str) -> None:
    cncop.write(job("a", enabled=False), job("b"))
    cncop.sync(prune)
    assert cncop.active_timers() == {"cncop-job-b.timer"}
    assert SERVICE in cncop.unit_files()


def edit(cncop: Installation) -> None:
    path = cncop.units / TIMER
    path.write_text(path.read_text().replace("[Timer]", "[Timer]\nOnCalendar=minutely"))
    cncop.manager.systemctl("daemon-reload")


def edit_to_nonsense(cncop: Installation) -> None:
    path = cncop.units / TIMER
    path.write_bytes(b"\xff[Timer]\n" + path.read_bytes())


def mask(cncop: Installation) -> None:
    (cncop.units / TIMER).unlink()
    (cncop.units / TIMER).symlink_to("/dev/null")
    cncop.manager.systemctl("daemon-reload")


def disable(cncop: Installation) -> None:
    cncop.manager.systemctl("disable", "--now", TIMER)


def delete(cncop: Installation) -> None:
    (cncop.units / TIMER).unlink()


def delete_and_reload(cncop: Installation) -> None:
    (cncop.units / SERVICE).unlink()
    cncop.manager.systemctl("daemon-reload")


def disable_the_target(cncop: Installation) -> None:
    cncop.manager.systemctl("disable", "cncop.target")


def stop(cncop: Installation) -> None:
    cncop.manager.systemctl("stop", TIMER)


@pytest.mark.parametrize(
    ("drift", "step", "reason", "line"),
    [
        (edit, f"write {TIMER}", "edited by hand", "repaired  a  edited by hand"),
        (edit_to_nonsense, f"write {TIMER}", "edited by hand", "repaired  a  edited by hand"),
        (mask, f"write {TIMER}", "masked by hand", "repaired  a  masked by hand"),
        (disable, f"link {LINK}", "disabled by hand", "repaired  a  disabled by hand"),
        (delete, f"write {TIMER}", "deleted by hand", "repaired  a  deleted by hand"),
        (delete_and_reload, f"write {SERVICE}", "deleted by hand", "repaired  a  deleted by hand"),
        (
            stop,
            "start cncop.target",
            f"{TIMER} was not active",
            f"started  cncop.target  {TIMER} was not active",
        ),
        (
            disable_the_target,
            "link default.target.wants/cncop.target",
            "disabled by hand",
            "repaired  cncop.target  disabled by hand",
        ),
    ],
)
def test_what_was_done_by_hand_is_repaired_and_told(
    cncop: Installation, drift: Any, step: str, reason: str, line: str
) -> None:
    before, others = cncop.unit_files(), cncop.starts()["cncop-job-b.timer"]
    drift(cncop)
    assert cncop.steps("--dry-run", status=3)[step] == reason
    told = [" ".join(each.split()) for each in cncop.sync().stdout.splitlines()]
    assert " ".join(line.split()) in told
    assert cncop.unit_files() == before
    assert cncop.active_timers() == {TIMER, "cncop-job-b.timer"}
    assert cncop.starts()["cncop-job-b.timer"] == others
    assert cncop.steps() == {}


def test_a_damaged_compiled_job_is_written_anew(cncop: Installation) -> None:
    before = cncop.compiled()
    (cncop.state / "jobs/a.toml").write_bytes(b"\xff\0")
    assert cncop.steps() == {"compile a": "changed"}
    assert cncop.compiled() == before


def test_an_administrators_drop_in_stays_and_is_told(cncop: Installation) -> None:
    drop_in = cncop.units / f"{SERVICE}.d/override.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nNice=15\n")
    done = cncop.sync()
    assert f"note: {drop_in} is an administrator's drop-in and stays\n" in done.stdout
    assert drop_in.exists()
    assert cncop.manager.property(SERVICE, "Nice") == "15"
    loaded = cncop.loaded_at()
    assert cncop.steps() == {}
    assert (cncop.loaded_at(), drop_in.read_text()) == (loaded, "[Service]\nNice=15\n")


def test_a_foreign_unit_in_the_way_changes_nothing(cncop: Installation) -> None:
    foreign = cncop.units / "cncop-job-c.service"
    foreign.write_text("[Service]\nExecStart=true\n")
    cncop.write(job("b", title="new"), job("c"))
    before, loaded = cncop.traces(), cncop.loaded_at()
    done = cncop.sync(status=12)
    assert done.stderr == (
        f"cncopctl: {foreign}: is not ours, and a job needs its name; nothing was changed\n"
        "hint: move it away, or give the job another id\n"
    )
    assert (cncop.traces(), cncop.loaded_at()) == (before, loaded)


def test_a_foreign_unit_of_our_name_is_left_alone(cncop: Installation) -> None:
    foreign = cncop.units / "cncop-job-theirs.service"
    foreign.write_text("[Service]\nExecStart=true\n")
    assert f"note: {foreign.name} was not made by cncop and is left alone" in cncop.sync().stdout
    assert foreign.exists()


def test_an_invalid_profile_changes_nothing_and_the_old_state_runs_on(cncop: Installation) -> None:
    cncop.write(job("a", schedule="61 2 * * *", titel="x"), job("c"))
    before, loaded, starts = cncop.traces(), cncop.loaded_at(), cncop.starts()
    done = cncop.sync(status=10)
    assert done.stdout == ""
    assert done.stderr == (
        'cncopctl: profile.toml: job "a": unknown key "titel"\nhint: did you mean title?\n'
        'cncopctl: profile.toml: job "a": schedule: minute: 61 is not in 0..59\nhint: write 0 to 59\n'
    )
    assert (cncop.traces(), cncop.loaded_at(), cncop.starts()) == (before, loaded, starts)


@pytest.mark.parametrize("option", ["--dry-run", "-n", "--diff"])
def test_a_dry_run_changes_nothing_and_says_what_it_would(cncop: Installation, option: str) -> None:
    cncop.write(job("b", title="new"), job("c"))
    before, loaded = cncop.traces(), cncop.loaded_at()
    done = cncop.sync(option, status=3)
    assert (cncop.traces(), cncop.loaded_at()) == (before, loaded)
    assert "cncop-job-c" in done.stdout or "added" in done.stdout
    cncop.sync()
    assert cncop.sync(option).stderr == ""


def test_a_diff_is_a_diff(cncop: Installation) -> None:
    cncop.write(job("b", title="new"), job("c"))
    lines = cncop.sync("--diff", status=3).stdout.splitlines()
    assert {"--- a/cncop-job-b.service", "+++ b/cncop-job-b.service"} <= set(lines)
    assert {"-Description=Ünsere Daten 100%%", "+Description=new"} <= set(lines)
    assert {"--- /dev/null", "+++ b/cncop-job-c.timer"} <= set(lines)
    assert {"--- a/cncop-job-a.timer", "+++ /dev/null"} <= set(lines)


def test_json_tells_everything_to_programs(cncop: Installation) -> None:
    cncop.write(job("b", title="Ünsere Daten 100%"))
    wouldbe = json.loads(cncop.sync("--json", "--dry-run", status=3).stdout)
    done = json.loads(cncop.sync("--json").stdout)
    assert wouldbe["steps"] == done["steps"]
    assert (wouldbe["changed"], done["changed"], done["jobs"]) == (False, True, 1)
    assert {step["job"] for step in done["steps"]} == {"a", ""}
    assert json.loads(cncop.sync("--json").stdout) == {"jobs": 1, "changed": False, "steps": [], "notes": []}


def test_without_pruning_a_job_that_left_stays_until_it_is_pruned(cncop: Installation) -> None:
    cncop.write(job("b", title="Ünsere Daten 100%"))
    done = cncop.sync("--no-prune")
    assert f"note: {TIMER} is no longer in the profile and stays, as --no-prune asks" in done.stdout
    assert cncop.active_timers() == {TIMER, "cncop-job-b.timer"}
    cncop.sync()
    assert cncop.active_timers() == {"cncop-job-b.timer"}


def test_a_target_that_an_administrator_stopped_stays_stopped(cncop: Installation) -> None:
    cncop.manager.systemctl("stop", "cncop.target")
    assert cncop.active_timers() == set()
    cncop.write(job("a"), job("c"))
    done = cncop.sync()
    assert "note: cncop.target was stopped: nothing fires until it is started again\n" in done.stdout
    assert cncop.active_timers() == set()
    cncop.manager.systemctl("start", "cncop.target")
    assert cncop.active_timers() == {TIMER, "cncop-job-c.timer"}
    assert cncop.steps() == {}


def test_of_two_syncs_at_once_both_are_fine_or_one_is_told_to_wait(cncop: Installation) -> None:
    cncop.write(*(job(f"n{number}") for number in range(40)))
    racers = [cncop.manager.popen(CNCOPCTL, "sync-profile", "--user", stdout=-1, stderr=-1) for _ in range(4)]
    ended = [(racer.communicate()[1], racer.returncode) for racer in racers]
    assert {status for _, status in ended} <= {0, 11}
    assert 0 in {status for _, status in ended}
    told = "cncopctl: another sync-profile is at work\nhint: wait for it, then try again\n"
    assert {stderr for stderr, status in ended if status} <= {told}
    assert cncop.steps() == {}
    assert len(cncop.active_timers()) == 40


def test_a_manager_that_does_not_answer_is_status_13(tmp_path: Path, manager: UserManager) -> None:
    installation = Installation(manager)
    installation.write(job("a"))
    bus = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={tmp_path}/none", "XDG_RUNTIME_DIR": str(tmp_path)}
    done = manager.run(CNCOPCTL, "sync-profile", "--user", check=False, env=bus)
    assert done.returncode == 13
    message, hint = done.stderr.splitlines()
    assert message.startswith("cncopctl: no user manager of systemd answers: ")
    assert hint == (
        "hint: for the system's jobs, try again with sudo; for your own, log in as that user (su and sudo are no "
        "logins), or for jobs without a login: loginctl enable-linger USER"
    )
    assert not (installation.state / "jobs").exists()


def test_timers_come_back_when_the_manager_starts_anew(cncop: Installation) -> None:
    cncop.manager.systemctl("daemon-reexec")
    assert cncop.active_timers() == {TIMER, "cncop-job-b.timer"}
    assert cncop.steps() == {}
