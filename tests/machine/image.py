#!/usr/bin/python3
"""Build the root file systems that the machines boot from, and keep them between runs.

    image.py [RELEASE...]    have the images ready (of all releases unless told)

An image is a directory, <cache>/<kind>-<release>-<digest>-<time>: the digest is of what it is made from, so
that a changed list of packages makes a new image; the time lets it be renewed. It is only ever read.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

RELEASES = ("bookworm", "trixie")  # Debian 12 and 13
RENEW_AFTER = 14 * 24 * 3600.0
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

BOOTED = "systemd systemd-sysv dbus dbus-user-session libpam-systemd"
DEVICE = """
    python3 python3-click python3-jinja2 python3-jsonschema python3-pystemd python3-requests python3-rich
    python3-tomli-w rsync restic rclone openssh-client
"""
# What the tests need beyond the product's own dependencies.
TESTING = """
    python3-installer python3-aiosmtpd openssh-server vsftpd polkitd procps iproute2 tzdata ca-certificates
"""
TELNET = {"bookworm": "telnet", "trixie": "inetutils-telnet"}
# mmdebstrap gives the image the host's name and name servers.
FORGET_HOST = 'rm -f "$1"/etc/hostname "$1"/etc/resolv.conf'
EMPTY = "systemd systemd-sysv dbus make git ca-certificates"
# What `make deb` installs, and what judges its result.
BUILDING = """
    build-essential debhelper dh-python pybuild-plugin-pyproject python3-all python3-hatchling make git
    lintian man-db autopkgtest polkitd tzdata netcat-openbsd
"""


class ImageError(Exception):
    """An image could not be built; the message says why and what to do."""


@dataclass(frozen=True)
class Kind:
    """A sort of image: what is in it, and whether it is a whole Debian as people get it."""

    name: str
    packages: str
    trimmed: bool


MACHINE = Kind("machine", f"{BOOTED} {DEVICE} {TESTING}", trimmed=True)
FRESH = Kind("fresh", EMPTY, trimmed=False)
BUILDER = Kind("builder", f"{BOOTED} {DEVICE} {BUILDING}", trimmed=False)
# For documents, which tell how to fetch from servers of each kind.
SERVERS = Kind("servers", f"{MACHINE.packages} vsftpd samba openssl", trimmed=True)
KINDS = {kind.name: kind for kind in (MACHINE, FRESH, BUILDER, SERVERS)}


def cache() -> Path:
    """Where images are kept: $CNCOP_IMAGE_CACHE, or else below the user's cache directory."""
    if given := os.environ.get("CNCOP_IMAGE_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cncop/images"


def digest(release: str, kind: Kind) -> str:
    """What tells an image from one with other packages, or built otherwise."""
    made_from = [kind.trimmed, FORGET_HOST, trimming(), sorted(packages(release, kind))]
    return hashlib.sha256(repr(made_from).encode()).hexdigest()[:12]


def packages(release: str, kind: Kind) -> list[str]:
    telnet = [TELNET[release]] if kind is MACHINE else []
    return [*kind.packages.split(), *telnet]


def sources(release: str) -> list[str]:
    """The mirror of this machine's own Debian; none lets mmdebstrap take the one that Debian names."""
    own = platform.freedesktop_os_release().get("VERSION_CODENAME")
    targets = ["Identifier: Packages", "Origin: Debian", "Component: main"]
    argv = ["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", *targets]
    for line in subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines():
        suite, mirror = line.split()
        if suite == own:
            return [f"deb {mirror} {release} main"]
    return []


def host_network_options() -> list[str]:
    """How this machine's apt gets at its mirror: proxies, time-outs, and the like."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    wanted = re.compile(r'^Acquire::(https?|ftp|Check-Valid-Until|Check-Date|Retries)\b.* "[^"]+";$')
    return [f"--aptopt={line}" for line in dump.splitlines() if wanted.match(line)]


def trimming() -> list[str]:
    """Leave out what no test reads; and what is thrown away after a failure need not reach the disk."""
    unread = ("doc", "man", "info", "locale", "lintian")
    return ["--dpkgopt=force-unsafe-io", *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in unread)]


def mmdebstrap(release: str, kind: Kind, target: Path) -> list[str]:
    return [
        "mmdebstrap",
        "--mode=root",
        "--quiet",
        f"--variant={'apt' if kind.trimmed else 'minbase'}",
        f"--keyring={KEYRING}",
        *(trimming() if kind.trimmed else ["--dpkgopt=force-unsafe-io"]),
        *host_network_options(),
        f"--customize-hook={FORGET_HOST}",
        f"--include={','.join(packages(release, kind))}",
        release,
        str(target),
        *sources(release),
    ]


def build(release: str, kind: Kind, target: Path) -> None:
    """Build an image; `target` is there in whole or not at all."""
    for program in ("mmdebstrap", "apt-get"):
        if not shutil.which(program):
            raise ImageError(f"{program} is not installed: apt-get install mmdebstrap")
    print(f"building the {kind.name} image of {release}: {target}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix=f".{release}-", dir=target.parent) as scratch:
        root = Path(scratch) / "root"
        done = subprocess.run(mmdebstrap(release, kind, root), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ImageError(f"mmdebstrap of {release} failed:\n{done.stdout}{done.stderr}")
        root.chmod(0o755)
        root.rename(target)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock for which another builder of the same image waits."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def kept(prefix: str) -> list[Path]:
    """The images of one kind and release with any digest, the newest last."""
    return sorted(cache().glob(f"{prefix}-*-[0-9]*"), key=age, reverse=True)


def age(image: Path) -> float:
    """How many seconds ago an image was begun."""
    return time.time() - int(image.name.rpartition("-")[2])


def drop(image: Path) -> None:
    """Remove an image, unless a machine runs on it: that holds a shared lock (see `in_use`)."""
    directory = os.open(image, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(image)
    except BlockingIOError:
        return
    finally:
        os.close(directory)


def in_use(image: Path) -> int:
    """Keep an image from being dropped for as long as the descriptor that this returns is open."""
    directory = os.open(image, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(directory, fcntl.LOCK_SH)
    return directory


def image_of(release: str, kind: Kind) -> Path:
    """The image of a release, built first if there is none or it is too old. Needs root.

    Raises:
        ImageError: there is none and it cannot be built.
    """
    if release not in RELEASES:
        raise ImageError(f"no such release: {release}; there are {', '.join(RELEASES)}")
    prefix = f"{kind.name}-{release}"
    cache().mkdir(parents=True, exist_ok=True)
    with locked(cache() / f".{prefix}.lock"):
        images = kept(prefix)
        current = [image for image in images if image.name.startswith(f"{prefix}-{digest(release, kind)}-")]
        if current and age(current[-1]) < RENEW_AFTER:
            return current[-1]
        try:
            return renewed(release, kind, images)
        except ImageError as error:
            if not current:
                raise
            print(f"the image of {release} stays as it is: {error}", file=sys.stderr)
            return current[-1]


def renewed(release: str, kind: Kind, outdated: list[Path]) -> Path:
    target = cache() / f"{kind.name}-{release}-{digest(release, kind)}-{int(time.time())}"
    build(release, kind, target)
    for image in outdated:
        drop(image)
    return target


def main(releases: list[str]) -> int:
    """Build side by side: each build waits for the network and for dpkg in turn."""
    try:
        with ThreadPoolExecutor() as pool:
            for image in pool.map(lambda release: image_of(release, MACHINE), releases or RELEASES):
                print(image)
    except ImageError as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
