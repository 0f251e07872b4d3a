"""`cncopctl mail-test`."""

from __future__ import annotations

import click

from cncopctl.cli.options import installation_options
from cncopctl.core.layout import Layout


@click.command("mail-test")
@click.argument("address")
@installation_options
def command(layout: Layout, *, address: str) -> int:
    """Send a mail to ADDRESS by the server of cncop3.ini, and say whether it was taken.

    The server and how to speak to it stand under [mail] in cncop3.ini; its password, if it wants one, is a
    credential: cncopctl credential set NAME, with mail_credential = NAME.

    \b
    Examples:
      cncopctl mail-test ops@example.org
    """
    from cncopctl.verbs.mail_runs import mail_settings, mail_trial

    configuration = mail_settings(layout, address)
    mail_trial(layout, configuration.mail, address)
    click.echo(f"{configuration.mail.server} has taken a mail to {address}: look whether it arrives")
    return 0
