"""Credentials that cncop itself knows by name."""

from __future__ import annotations

REPOSITORY_PASSWORD = "repository-password"  # noqa: S105 - the credential's name, not its value

KNOWN_HOSTS = "ssh-known-hosts"
"""Host keys of the servers that jobs fetch from, besides those that root's ssh knows."""
