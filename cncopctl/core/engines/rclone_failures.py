"""rclone's failures: which are transient, and what each means to the user.

From rclone(1), Exit Code, from the errors of Go's net, crypto/tls, crypto/x509 and crypto/ssh, which rclone passes
on, from the replies of FTP servers (RFC 959, 4.2) and from the NT statuses of SMB servers (MS-ERREF, 2.3).
"""

from __future__ import annotations

from cncopctl.core.engines.diagnosis import Diagnosis, Symptom, first_fitting, first_lines
from cncopctl.core.engines.remote import Protocol, Remote, Tls

_ACCEPT_KEY = (
    "compare its fingerprint with the one that the server's administrator gives you, and accept it as the "
    "user who runs the job: ssh-keyscan {keyscan} | tee -a ~/.ssh/known_hosts | ssh-keygen -lf -"
)
_TRUST = (
    "if it has a certificate of a private authority, store that authority's: "
    "cncopctl credential set ca-certificates"
)

ROOM_THERE = "make room there: what earlier runs replaced is in .cncop-replaced/, by date, and may be removed"

NOT_TO_BE_DELETED = r"not deleting (?:files|directories) as there were IO errors|^Attempt \d+/\d+ failed"
"""What rclone says besides the failure itself."""

UNSAID = r"SSH_FX_FAILURE"
"""How an SFTP server says that something failed, a full disk among others."""

NO_ROOM = "no space left on device"
SESSION_REUSE = r"session reuse required"
CHANGED = r"corrupted on transfer: sizes differ|source file is being updated"
VANISHED = (
    r"object not found|directory not found|no such file or directory|file does not exist|"
    r"550 .*(?:failed to open|no such|not found)"
)

TABLE: tuple[Symptom, ...] = (
    Symptom(
        r"knownhosts: key mismatch",
        "the host key of {where} has changed: another machine answers, or it was reinstalled",
        "if it was reinstalled, forget the old key with: ssh-keygen -R {hostkey}; then " + _ACCEPT_KEY,
    ),
    Symptom(r"knownhosts: key is unknown", "the host key of {where} is unknown", _ACCEPT_KEY),
    Symptom(
        r"failed to parse private key file|failed to read private key file",
        "the private key cannot be used",
        "store a private key without a passphrase: cncopctl credential set NAME < KEY",
    ),
    Symptom(
        r"unable to authenticate|\b530 (?!Please login)|attempted logon is invalid|(?:account|password) .*"
        r"(?:restriction|expired|locked|disabled)|STATUS_LOGON_FAILURE",
        "{where} refuses the login",
        "check the user in the job, and store what lets it in: cncopctl credential set NAME",
    ),
    Symptom(
        r"certificate signed by unknown authority|certificate is not trusted",
        "the certificate of {where} is signed by an authority that this machine does not know",
        _TRUST,
    ),
    Symptom(
        r"certificate has expired or is not yet valid(?P<why>[^\n]*)",
        "the certificate of {where} has expired or is not yet valid",
        "have it renewed, and see that this machine's clock is right",
    ),
    Symptom(
        r"x509: (?P<why>certificate is (?:valid for|not valid for)[^\n]*|cannot validate certificate[^\n]*)",
        "the certificate of {where} is not for this name: {why}",
        "write the name that its certificate has",
    ),
    Symptom(r"x509: (?P<why>[^\n]*)", "the certificate of {where} is not valid: {why}", _TRUST),
    Symptom(
        r"first record does not look like a TLS handshake|tls: unsupported SSLv2|wrong version number",
        "{where} does not speak TLS from the start on this port",
        "write ftp:// for explicit TLS, or the port on which it speaks implicit TLS",
    ),
    Symptom(
        r"\b(?:50[0-4]|530|534) [^\n]*(?:AUTH|command|understood|implemented|Please login|SSL|TLS)",
        "{where} does not offer TLS",
        'have it set up there; type = "FTP" would send the password for everybody to read',
    ),
    Symptom(r"session reuse required", "{where} wants TLS sessions to be reused", ""),
    Symptom(
        r"\b421 (?P<words>[^\n]*)|too many (?:connections|users)|maximum number of (?:clients|connections)",
        "{where} has no connection left",
        "try again later, or allow more there",
        transient=True,
    ),
    Symptom(
        r"Insufficient (?:system|server) resources|\{Not Enough Quota\}|No more connections can be made|"
        r"too many sessions established|The network is busy",
        "{where} has no connection or no memory left at the moment",
        "if it stays so, see its log; Samba counts a share's connections against its max connections, and rclone "
        "opens several",
        transient=True,
    ),
    Symptom(
        r"Network Name Not Found|BAD_NETWORK_NAME",
        "{where} has no share {share}",
        "list its shares with: smbclient -L {host}",
    ),
    Symptom(
        r"server misbehaving|Temporary failure in name resolution|lookup [^\n]*(?:i/o timeout|try again)",
        "the name of {where} cannot be resolved at the moment",
        "",
        transient=True,
    ),
    Symptom(r"no such host", "there is no machine of the name {where}", "check the name in the job"),
    Symptom(
        r"connection refused", "{where} refuses the connection", "is the service running?", transient=True
    ),
    Symptom(
        r"no route to host|network is unreachable|host is down",
        "{where} cannot be reached over the network",
        "",
        transient=True,
    ),
    Symptom(
        r"no space left on device|disk quota exceeded|\b(?:452|552) |disk (?:is |was )?full|"
        r"STATUS_DISK_FULL|not enough space|too big for remaining disk space",
        "{disk} is full",
        "{room}",
    ),
    Symptom(
        r"read-only file system",
        "the file system is read-only",
        "mount the destination for writing; after an I/O error the kernel makes it read-only",
    ),
    Symptom(
        r"i/o timeout|timed out|timeout when waiting|context deadline exceeded|timeout exceeded",
        "{where} does not answer",
        "",
        transient=True,
    ),
    Symptom(
        r"Failure writing to local file",
        "{where} cannot write to its disk",
        "it is most likely full, or the user's quota is used up: make room there, or see the server's log",
    ),
    Symptom(
        UNSAID,
        "{where} failed at it and does not say why",
        "is its disk full? see its log",
    ),
    Symptom(
        r"connection reset by peer|broken pipe|\bEOF\b|connection lost|use of closed network connection|"
        r"handshake failed|\b42[56] |error reading from server",
        "the connection to {where} broke off",
        "",
        transient=True,
    ),
    Symptom(
        r"^(?P<path>[^\n:]*): [^\n]*"
        r"(?:permission denied|access is denied|\b553 |\b550 [^\n]*(?:denied|failed to open))",
        "{path} cannot be read or written on {where}",
        "give the job a user who may, or exclude it",
    ),
    Symptom(
        r"permission denied|access (?:is )?denied",
        "{path} cannot be read or written on {where}",
        "give the job a user who may",
    ),
    Symptom(
        rf"^(?P<name>[^\n:]*): [^\n]*(?:{CHANGED})",
        "{name} changes while it is read",
        "exclude it, or run the job when it is quiet",
        transient=True,
    ),
    Symptom(
        r"directory not found|object not found|not found in|550 [^\n]*(?:no such|not found|failed)|does not exist",
        "{path} does not exist on {where}",
        "is the disk mounted that it should be on?",
    ),
    Symptom(
        r"input/output error",
        "a disk reports an I/O error",
        "look at the kernel's log: journalctl -k",
    ),
)

# What each exit status means where no message says more (rclone(1), Exit Code).
STATUSES: dict[int, tuple[str, bool]] = {
    1: ("rclone could not do it", False),
    2: ("rclone failed for a reason that it has no class for", False),
    3: ("a directory was not found", False),
    4: ("a file was not found", False),
    5: ("a server or the network failed for the moment", True),
    6: ("the server refused for good", False),
    7: ("rclone had to give up", False),
    8: ("more was to be transferred than is allowed", False),
    9: ("no file was transferred", False),
    10: ("it took longer than is allowed", False),
}


def diagnose(status: int, errors: str, remote: Remote, *, is_sending: bool = False) -> Diagnosis:
    """Why rclone ended with `status`, having written `errors`, while it worked with `remote`.

    A disk that is full is the server's where rclone `is_sending`, this machine's otherwise.
    """
    port = f"-p {remote.port} " if remote.port else ""
    known = {
        "where": remote.place,
        "host": remote.host,
        "share": remote.served_path.partition("/")[0] if remote.protocol is Protocol.SMB else "",
        "path": remote.path,
        "keyscan": f"{port}{remote.host}",
        "disk": f"the disk of {remote.place}" if is_sending else "the disk",
        "room": ROOM_THERE if is_sending else "make room, or give the job a larger destination",
        "hostkey": f"'[{remote.host}]:{remote.port}'" if remote.port else remote.host,
    }
    diagnosis = first_fitting(_table_for(remote), status, errors, known)
    if diagnosis is not None:
        return diagnosis
    phrase, transient = STATUSES.get(status, (f"rclone ended with status {status}", False))
    words = first_lines(errors)
    return Diagnosis(f"{phrase}: {words}" if words else phrase, "", transient)


def _table_for(remote: Remote) -> tuple[Symptom, ...]:
    """The table; what it says of TLS fits only where there is any."""
    if remote.tls is not Tls.NONE:
        return TABLE
    return tuple(symptom for symptom in TABLE if "TLS" not in symptom.phrase)
