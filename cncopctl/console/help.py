"""HELP: a summary of all commands, or all about one."""

from __future__ import annotations

from cncopctl.console.session import Session
from cncopctl.core.console import COMMANDS, Request, find_command
from cncopctl.core.console_table import table, wrapped


def answer(session: Session, request: Request) -> bool:
    """Explain the commands."""
    named = [find_command(word) for word in request.words]
    if request.as_json:
        shown = named or COMMANDS.values()
        documents = [
            {
                "name": command.name,
                "usage": command.usage,
                "summary": command.summary,
                "changes": command.changes,
            }
            for command in shown
        ]
        session.say_json({"commands": documents})
        return True
    width = session.channel.width(ask=False)
    for command in named:
        session.say(f"{command.usage}\n\n{command.summary}")
        for line in command.text.splitlines():
            session.channel.send_lines(wrapped(line, width, "    " if line.startswith("-") else ""))
    if not named:
        rows = [(command.name, command.summary) for command in COMMANDS.values()]
        session.channel.send_lines(table(("COMMAND", ""), rows, width, ()))
        session.channel.send_lines(wrapped(_MORE, width))
    return True


_MORE = (
    "Case does not matter, and each command but STOPSERVER may be shortened as long as it is clear which is meant. "
    "HELP COMMAND tells more."
)
