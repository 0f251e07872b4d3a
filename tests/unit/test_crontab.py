"""What crontabs say: their lines in a table, and what each of them is read as."""

from __future__ import annotations

import pytest

from cncopctl.core.crontab import Entry, read_crontab

LINES = """
30 2 * * *  backup --all        | 30 2 * * *     | backup --all
30\t2 * *\t*\tbackup            | 30\t2 * *\t*   | backup
  5 4 * * 1 x  y                | 5 4 * * 1      | x  y
@daily backup                   | @daily         | backup
@Reboot backup                  | @Reboot        | backup
@every 90m backup               | @every 90m     | backup
-*/5 * * * * quiet              | */5 * * * *    | quiet
0 0 * * * a=b c                 | 0 0 * * *      | a=b c
0 0 * * * date +\\%F%in%put     | 0 0 * * *      | date +\\%F%in%put
61 * * * * wrong                | 61 * * * *     | wrong
1 2 3 4 5 10 x                  | 1 2 3 4 5      | 10 x
"""


@pytest.mark.parametrize(
    ("line", "schedule", "command"),
    [tuple(part.strip(" ") for part in line.split("|")) for line in LINES.strip("\n").splitlines()],
)
def test_a_line_has_a_schedule_and_a_command(line: str, schedule: str, command: str) -> None:
    assert list(read_crontab(line)) == [Entry(1, schedule, command)]


USERS = """
30 2 * * * root backup --all    | 30 2 * * * | root | backup --all |
@daily  www-data\tx             | @daily     | www-data | x        |
30 2 * * * root                 | 30 2 * * * | root |              | command
30 2 * * *                      | 30 2 * * * |      |              | user
30 2 * *                        | 30 2 * *   |      |              | schedule
@daily                          | @daily     |      |              | user
"""


@pytest.mark.parametrize(
    ("line", "schedule", "user", "command", "missing"),
    [tuple(part.strip(" ") for part in line.split("|")) for line in USERS.strip("\n").splitlines()],
)
def test_the_user_stands_before_the_command_in_system_crontabs(
    line: str, schedule: str, user: str, command: str, missing: str
) -> None:
    assert list(read_crontab(line, user_field=True)) == [
        Entry(1, schedule, command, user or None, missing=missing)
    ]


@pytest.mark.parametrize(
    "line",
    [
        "",
        " \t",
        "# 30 2 * * * x",
        "  #x",
        "PATH=/bin",
        ' MAILTO = "a b" ',
        "'A B'=c",
        "X=",
        "\"Q\" = '1'",
        "\r",
    ],
)
def test_comments_and_variables_say_no_time(line: str) -> None:
    assert list(read_crontab(line)) == []


def test_a_time_zone_counts_from_its_line_on() -> None:
    text = (
        '0 1 * * * a\nCRON_TZ=Asia/Tokyo\n0 2 * * * b\nCRON_TZ = "UTC"\n0 3 * * * c\nCRON_TZ=\n0 4 * * * d\n'
    )
    zones = [(entry.line, entry.zone) for entry in read_crontab(text)]
    assert zones == [(1, None), (3, "Asia/Tokyo"), (5, "UTC"), (7, None)]


def test_the_clock_of_commands_alone_is_warned_about_once() -> None:
    told = [entry.warnings for entry in read_crontab("TZ=Asia/Tokyo\n0 1 * * * a\n0 2 * * * b")]
    assert told == [
        ("TZ=Asia/Tokyo is the command's clock only; CRON_TZ=Asia/Tokyo would be the schedule's",),
        (),
    ]


def test_lines_end_in_any_way() -> None:
    assert [entry.command for entry in read_crontab("0 1 * * * a\r\n0 2 * * * b")] == ["a", "b"]
