"""Commands that have commands of their own."""

from __future__ import annotations

import click

from cncopctl.core.faults import nearest


class Words(click.Group):
    """A group of subcommands; a word that is none of them gets the nearest as a hint."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The subcommand that the first of `args` names, as click has it.

        Raises:
            click.UsageError: there is none, with the nearest as a hint.
        """
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            meant = nearest(args[0], known)
            hint = f"did you mean {meant}?" if meant else f"commands are: {', '.join(known)}"
            word = args[0] or '""'
            raise click.UsageError(f"no such command: {word}\nhint: {hint}", ctx)
        return super().resolve_command(ctx, args)
