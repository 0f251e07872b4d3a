"""How an agent ends: its exit statuses, and the exceptions that lead to them."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cncopctl.core.engines.diagnosis import Diagnosis


class ExitStatus(IntEnum):
    """What an agent's exit status says (agents/README.md)."""

    OK = 0
    ERROR = 1
    USAGE = 64  # EX_USAGE of sysexits.h: the request cannot be understood
    RERUN = 75  # EX_TEMPFAIL
    TERMINATED = 143  # 128 + SIGTERM


class AgentError(Exception):
    """The action failed: what is wrong in the user's words, what to do, and whether to try again.

    `told` are further members of the result, by name: what was found out all the same.
    """

    def __init__(
        self,
        phrase: str,
        hint: str = "",
        *,
        transient: bool = False,
        exit_status: ExitStatus = ExitStatus.ERROR,
        told: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(phrase)
        self.phrase = phrase
        self.hint = hint
        self.told = told or {}
        self.exit_status = ExitStatus.RERUN if transient else exit_status

    @classmethod
    def diagnosed(cls, diagnosis: Diagnosis) -> AgentError:
        """The failure of an engine."""
        return cls(diagnosis.phrase, diagnosis.hint, transient=diagnosis.transient)


class Terminated(Exception):  # noqa: N818 - an order, not an error
    """SIGTERM, SIGINT or SIGHUP arrived."""
