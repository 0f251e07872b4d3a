"""The ssh that carries an engine's protocol: never asks, never trusts a host key that nobody accepted."""

from __future__ import annotations

CONNECT_TIMEOUT = 30


def ssh_words(*, port: int, key_file: str, known_hosts: str, by_password: bool = False) -> list[str]:
    """The ssh command as far as its options.

    Args:
        port: 0 for ssh's own or what the user's configuration says.
        key_file: path of the private key, "" for those of the user.
        known_hosts: path of a file with host keys that count besides the user's; "" for none.
        by_password: ask SSH_ASKPASS for a password, and for it alone.
    """
    settings = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "ConnectTimeout": str(CONNECT_TIMEOUT),
        "ServerAliveInterval": "30",
        "ServerAliveCountMax": "4",
        "ControlMaster": "no",
        "ControlPath": "none",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "ClearAllForwardings": "yes",
    }
    if known_hosts:
        settings["UserKnownHostsFile"] = f'"{known_hosts}" ~/.ssh/known_hosts'
    if key_file:
        settings["IdentitiesOnly"] = "yes"
    if by_password:
        settings |= {
            "BatchMode": "no",
            "PubkeyAuthentication": "no",
            "PreferredAuthentications": "password,keyboard-interactive",
            "NumberOfPasswordPrompts": "1",
        }
    words = ["ssh", "-x", "-a"]
    words += [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
    words += ["-p", str(port)] if port else []
    words += ["-i", key_file] if key_file else []
    return words
