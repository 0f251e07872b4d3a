"""rsync's failures: which are transient, and what each means to the user.

From rsync(1), EXIT VALUES, from the messages of rsync and of its daemon (`@ERROR`), and from ssh(1), which
ends 255 for every failure of its own, so that only its words tell a refused login from a lost network.
"""

from __future__ import annotations

from cncopctl.core.engines.diagnosis import Diagnosis, Symptom, first_fitting, first_lines
from cncopctl.core.engines.endpoint import Endpoint, Transport

_ACCEPT_KEY = (
    "compare its fingerprint with the one that the server's administrator gives you, and accept it as the "
    "user who runs the job: ssh-keyscan {keyscan} | tee -a ~/.ssh/known_hosts | ssh-keygen -lf -"
)

ROOM_THERE = "make room there: what earlier runs replaced is in .cncop-replaced/, by date, and may be removed"

TABLE: tuple[Symptom, ...] = (
    Symptom(
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for .* has changed",
        "the host key of {where} has changed: another machine answers, or it was reinstalled",
        "if it was reinstalled, forget the old key with: ssh-keygen -R {hostkey}; then " + _ACCEPT_KEY,
    ),
    Symptom(
        r"Host key verification failed|No \S+ host key is known for",
        "the host key of {where} is unknown",
        _ACCEPT_KEY,
    ),
    Symptom(
        r"Load key .*: (?P<why>bad permissions|invalid format|error in libcrypto.*|incorrect passphrase.*)",
        "the private key cannot be used: {why}",
        "store a private key without a passphrase: cncopctl credential set NAME < KEY",
    ),
    Symptom(
        r"Permission denied \((?P<methods>[a-z,-]+)\)|Too many authentication failures",
        "{where} refuses the login",
        "give the job a private key that {where} accepts: cncopctl credential set NAME < KEY",
    ),
    Symptom(
        r"@ERROR: max connections",
        "{where} has no connection left",
        "raise `max connections` there if this happens often",
        transient=True,
    ),
    Symptom(
        r"@ERROR: Unknown module '(?P<module>.*)'",
        "{where} has no module {module}",
        "list its modules with: rsync rsync://{host}/",
    ),
    Symptom(
        r"@ERROR: auth failed on module (?P<module>\S+)",
        "{where} refuses the login to module {module}",
        "check the user in the source, and store the module's password: cncopctl credential set NAME",
    ),
    Symptom(
        r"@ERROR: access denied to (?P<module>\S+)",
        "{where} denies this machine access to module {module}",
        "see `hosts allow` in its rsyncd.conf",
    ),
    Symptom(r"@ERROR: (?P<words>.*)", "{where} says: {words}", "see its rsyncd.conf and log"),
    Symptom(
        r"password file must (?P<rule>.*)|could not open password file",
        "the password file cannot be used: {rule}",
        "store it with: cncopctl credential set NAME",
    ),
    Symptom(
        r"Temporary failure in name resolution|Try again",
        "the name of {where} cannot be resolved at the moment",
        "",
        transient=True,
    ),
    Symptom(
        r"Could not resolve hostname|getaddrinfo: .*|Name or service not known",
        "there is no machine of the name {where}",
        "check the name in the source",
    ),
    Symptom(
        r"Connection refused", "{where} refuses the connection", "is the service running?", transient=True
    ),
    Symptom(
        r"Connection timed out|Operation timed out|timeout waiting for daemon connection|"
        r"timed out during banner exchange|Timeout, server .* not responding",
        "{where} does not answer",
        "",
        transient=True,
    ),
    Symptom(
        r"No route to host|Network is unreachable|Host is down",
        "{where} cannot be reached over the network",
        "",
        transient=True,
    ),
    Symptom(
        r"No space left on device|Disk quota exceeded",
        "{disk} is full",
        "{room}",
        statuses=(11, 12, 23),
    ),
    Symptom(
        r"Read-only file system",
        "the file system is read-only",
        "mount the destination for writing; after an I/O error the kernel makes it read-only",
        statuses=(11, 12, 23),
    ),
    Symptom(
        r"rsync: (?:command )?not found|rsync: No such file or directory|command not found",
        "there is no rsync on {where}",
        "install it there",
        statuses=(12, 14, 127),
    ),
    Symptom(
        r"is your shell clean\?",
        "{where} prints something at login that is not rsync's",
        "make its shell start-up files silent where there is no terminal",
    ),
    Symptom(
        r"are not supported on this (?:server|client)|-{1,2}[\w-]+: unknown option",
        "the rsync of {where} is too old or lacks a feature",
        "install rsync 3.2.7 or later there, built with xattrs and ACLs",
    ),
    Symptom(
        r'(?:change_dir|link_stat) "(?P<path>[^"]*)"(?: \(in .*\))? failed: No such file or directory',
        "{path} does not exist on {where}",
        "is the disk mounted that it should be on?",
        statuses=(3, 23),
    ),
    Symptom(
        r'(?:opendir|change_dir|link_stat|send_files failed to open|readlink_stat) "(?P<path>[^"]*)".*'
        r"Permission denied",
        "{path} cannot be read on {where}",
        "read the source as a user who may, or exclude it",
        statuses=(3, 23),
    ),
    Symptom(
        r"Input/output error",
        "a disk reports an I/O error",
        "look at the kernel's log of both machines: journalctl -k",
    ),
    Symptom(
        r"(?:connection unexpectedly closed|Connection reset by peer|Connection closed by|Broken pipe|"
        r"kex_exchange_identification|error in rsync protocol data stream|did not see server greeting)",
        "the connection to {where} broke off",
        "",
        transient=True,
        statuses=(5, 10, 12, 30, 35, 255),
    ),
)

# What each exit status means where no message says more (rsync(1), EXIT VALUES).
STATUSES: dict[int, tuple[str, bool]] = {
    1: ("rsync was called wrongly", False),
    2: ("the two rsyncs do not understand each other's protocol", False),
    3: ("input or output files could not be selected", False),
    4: ("one rsync does not know what the other asks for", False),
    5: ("the connection to rsync's daemon could not be started", False),
    10: ("the network failed", True),
    11: ("a file could not be read or written", False),
    12: ("the other rsync stopped talking", True),
    13: ("rsync failed at its own diagnostics", False),
    14: ("rsync's processes could not talk to each other", False),
    15: ("an rsync process crashed", False),
    16: ("an rsync process was killed", True),
    19: ("rsync was asked to stop", True),
    20: ("rsync was interrupted", True),
    21: ("an rsync process was lost", True),
    22: ("rsync had too little memory", True),
    23: ("some files could not be copied", False),
    25: ("more files would have been deleted than is allowed", False),
    30: ("the other side sent nothing for ten minutes", True),
    35: ("the daemon did not answer in time", True),
    127: ("rsync or the remote shell is not installed", False),
    255: ("the remote shell failed", True),
}


def diagnose(status: int, errors: str, endpoint: Endpoint, *, is_sending: bool = False) -> Diagnosis:
    """Why rsync ended with `status`, having written `errors`, while it worked with `endpoint`.

    A disk that is full is that of `endpoint` where rsync `is_sending`, this machine's otherwise.
    """
    whose = endpoint.path if endpoint.is_local else endpoint.place
    known = {
        "disk": f"the disk of {whose}" if is_sending else "the disk",
        "room": ROOM_THERE if is_sending else "make room, or give the job a larger destination",
        "where": endpoint.place,
        "host": endpoint.place,
        "keyscan": f"-p {endpoint.port} {endpoint.host}" if endpoint.port else endpoint.host,
        "hostkey": f"'[{endpoint.host}]:{endpoint.port}'" if endpoint.port else endpoint.host,
        "rule": "it is not readable",
    }
    diagnosis = first_fitting(TABLE, status, errors, known)
    if diagnosis is not None:
        return diagnosis
    phrase, transient = STATUSES.get(status, (f"rsync ended with status {status}", False))
    if endpoint.transport is Transport.LOCAL:
        transient = transient and status in (16, 19, 20, 21, 22)
    words = first_lines(errors)
    return Diagnosis(f"{phrase}: {words}" if words else phrase, "", transient)
