"""Names of units, there and back."""

from __future__ import annotations

import pytest

from cncopctl.core.naming import is_ours, is_timer, job_of, service_name, timer_name


@pytest.mark.parametrize("job", ["a", "web-01", "a.b", "a.timer", "x.service", "UPPER_case", "9", "a" * 64])
def test_a_name_leads_back_to_its_job(job: str) -> None:
    assert job_of(service_name(job)) == job
    assert [job_of(timer_name(job, number)) for number in (1, 2, 17)] == [job] * 3
    assert is_timer(timer_name(job, 2))
    assert not is_timer(service_name(job))


def test_timers_of_different_jobs_and_schedules_never_share_a_name() -> None:
    jobs = ["a", "a.2", "a-2", "a2", "a.timer", "A"]
    names = [timer_name(job, number) for job in jobs for number in range(1, 30)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "unit",
    [
        "cncop.target",
        "cncop-console.socket",
        "cncop-job-a.socket",
        "cncop-job-.service",
        "cncop-job-:2.timer",
        "cncop-getprofile.timer",
        "ssh.service",
        "xcncop-job-a.service",
        "cncop-job-a",
        "",
    ],
)
def test_other_units_belong_to_no_job(unit: str) -> None:
    assert job_of(unit) == ""
    assert not is_timer(unit)


def test_the_re_sync_is_ours_and_no_jobs() -> None:
    assert is_timer("cncop-sync.timer")
    assert all(is_ours(unit) for unit in ("cncop.target", "cncop-sync.service", "cncop-job-a.service"))
    assert [job_of(unit) for unit in ("cncop-sync.timer", "cncop-sync.service")] == ["", ""]
    assert not is_ours("cncop-another.socket")


def test_the_longest_id_gives_a_name_that_systemd_takes() -> None:
    assert len(timer_name("x" * 64, 50)) < 255
