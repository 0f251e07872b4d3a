"""An FTP server that means harm, on one connection: `hostile_ftp.py KIND mlsd|list` on stdin and stdout.

Like `hostile_sftp.py`, with the KINDs names, deep and silent; and endless, where a listing is. Others list as some
real servers do: truncated (pure-ftpd, where a directory is too large), links (ProFTPD: MLSD does not tell where they
lead, reading follows them), hides (ProFTPD, of a directory that may not be entered), strange (a group with a space in
its name), dot (a name that ends like the directory itself).
"""

from __future__ import annotations

import socket
import sys

KIND, HAS_MLSD = sys.argv[1], sys.argv[2] == "mlsd"
CONTENT = b"sound\n"
MLST = " MLST type*;size*;modify*;\r\n"
EVIL = ["..", "x/..", "../evil", "/evil", "x/../../evil", "", "control \x1b]0;title\x07"]


def listed(directory: str) -> list[tuple[str, bool]]:
    """Names, and whether each is a directory."""
    if directory.endswith(("..", "/x")):
        return [("evil", False)]
    if KIND == "names":
        return [("sound", False), *((name, name[-2:] == "..") for name in EVIL)]
    if KIND == "deep":
        return [("sound", False), ("d" * 200, True)]
    if KIND in ("silent", "endless"):
        return [("sound", False), ("silent", False)]
    if KIND == "hides":
        return [] if directory.endswith("/below") else [(".", True), ("sound", False), ("below", True)]
    if KIND == "dot":
        return [] if directory.endswith("/empty") else [("ends with .", False), ("empty", True)]
    return [("sound", False)]


def line(verb: str, name: str, is_directory: bool) -> str:
    if verb == "MLSD":
        kind = "dir" if is_directory else "file"
        return f"type={kind};size={len(CONTENT)};modify=20090213233130; {name}\r\n"
    mode = "drwxr-xr-x" if is_directory else "-rw-r--r--"
    group = "Domain Users" if KIND == "strange" else "0"
    return f"{mode} 1 0 {group} {len(CONTENT)} Feb 13 2009 {name}\r\n"


def more(verb: str) -> str:
    """What a listing has besides."""
    if KIND == "links" and verb == "MLSD":
        return "type=OS.unix=symlink;size=9;modify=20090213233130; link\r\n"
    if KIND == "links":
        return (
            "lrwxrwxrwx 1 0 0 9 Feb 13 2009 link -> elsewhere\r\ncrw-rw-rw- 1 0 0 1, 3 Feb 13 2009 device\r\n"
        )
    return ""


def say(words: str) -> None:
    sys.stdout.write(f"{words}\r\n")
    sys.stdout.flush()


class Session:
    directory = "/"
    passive: socket.socket | None = None

    def data(self, content: bytes | None) -> None:
        """Send what is asked for, or nothing, without an end."""
        assert self.passive
        say("150 here it comes")
        connection, _ = self.passive.accept()
        if content is None:
            connection.recv(1)
        else:
            connection.sendall(content)
            while KIND == "endless" and content != CONTENT:
                connection.sendall(content * 1000)
        connection.close()
        say("226 Output truncated to 1 matches" if KIND == "truncated" else "226 done")

    def path(self, argument: str) -> str:
        return argument if argument.startswith("/") else f"{self.directory.rstrip('/')}/{argument}"

    def obey(self, verb: str, argument: str) -> None:
        fixed = {
            "USER": "331 password",
            "PASS": "230 in",
            "FEAT": f"211-Features\r\n MDTM\r\n{MLST if HAS_MLSD else ''}211 End",
            "PWD": f'257 "{self.directory}"',
            "MDTM": "213 20090213233130",
            "SIZE": f"213 {len(CONTENT)}",
            **dict.fromkeys(("TYPE", "OPTS", "NOOP"), "200 fine"),
        }
        match verb:
            case "CWD":
                self.directory = self.path(argument)
                say("250 there")
            case "EPSV" | "PASV":
                self.passive = socket.create_server(("127.0.0.1", 0))
                port = self.passive.getsockname()[1]
                said = f"229 (|||{port}|)" if verb == "EPSV" else f"227 (127,0,0,1,{port >> 8},{port & 255})"
                say(said)
            case "LIST" | "MLSD":
                argument = argument.removeprefix("-a").strip()
                where = self.directory if argument.startswith("-") or not argument else self.path(argument)
                listing = "".join(line(verb, *entry) for entry in listed(where)) + more(verb)
                self.data(listing.encode("latin-1"))
            case "RETR":
                self.data(None if argument.endswith("silent") else CONTENT)
            case _:
                say(fixed.get(verb, "502 no"))


def main() -> None:
    say("220 welcome")
    session = Session()
    for words in sys.stdin:
        verb, _, argument = words.rstrip("\r\n").partition(" ")
        session.obey(verb.upper(), argument)


if __name__ == "__main__":
    main()
