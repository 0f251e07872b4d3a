"""An FTP server that means harm, on one connection: `hostile_ftp.py KIND mlsd|list` on stdin and stdout.

Like `hostile_sftp.py`, with the KINDs names, deep and silent; and endless, where a listing is.
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
    return [("sound", False), ("silent", False)]


def line(name: str, is_directory: bool) -> str:
    if HAS_MLSD:
        kind = "dir" if is_directory else "file"
        return f"type={kind};size={len(CONTENT)};modify=20090213233130; {name}\r\n"
    mode = "drwxr-xr-x" if is_directory else "-rw-r--r--"
    return f"{mode} 1 0 0 {len(CONTENT)} Feb 13 2009 {name}\r\n"


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
        say("226 done")

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
                where = self.directory if argument.startswith("-") or not argument else self.path(argument)
                self.data("".join(line(*entry) for entry in listed(where)).encode("latin-1"))
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
