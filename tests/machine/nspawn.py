#!/usr/bin/python3
"""Boot a machine, and keep it until the input of this program ends.

It reads one word a line, `boot` (after the machine was switched off) or `cut` (the power), and writes one
JSON object a line whenever the machine has come up, gone off, or failed to. Run as root, with tests/ on
the module path: `python3 -P -m machine.nspawn --release trixie`.

Everything happens in a mount namespace of our own, so that no mount outlives this program; in a control
group of our own, so that no process does; and on a tmpfs over the image, so that booting costs no copy
and that a reboot finds what was written (systemd-nspawn's --ephemeral would drop it).
"""

import argparse
import json
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from manager.private_manager import (
    ControlGroup,
    Readiness,
    StartError,
    enter_namespace,
    mount,
    own_control_group,
    raise_exit,
    start_over_delegated,
)

from .image import KINDS, ImageError, image_of, in_use

BOOT_TIMEOUT = 90.0
# systemd-nspawn does not boot anew under --keep-unit, but asks its caller to by this status
# (EXIT_FORCE_RESTART in systemd's source, 133 since systemd 209).
REBOOT = 133


def tell(**event: object) -> None:
    print(json.dumps(event), flush=True)


class Nspawn:
    """One machine: its root, and the systemd-nspawn that runs it while it is on."""

    def __init__(self, release: str, kind: str, *, network: bool) -> None:
        self._image = image_of(release, KINDS[kind])
        self._lock = in_use(self._image)
        # A machine's name may have no underscore, which rules tempfile's names out.
        self._top = Path("/run") / f"cncop-machine-{secrets.token_hex(4)}"
        self._top.mkdir(mode=0o700)
        self._argv = self._command(release, network=network)
        self._process: subprocess.Popen[bytes] | None = None
        self._group = ControlGroup(enter_namespace(self._top) / own_control_group(), self._top.name)
        self._mount()

    def _mount(self) -> None:
        disk = self._top / "disk"
        disk.mkdir()
        mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", disk)
        for name in ("upper", "work", "root"):
            (disk / name).mkdir()
        layers = f"lowerdir={self._image},upperdir={disk}/upper,workdir={disk}/work"
        mount("-t", "overlay", "-o", layers, "overlay", disk / "root")
        Path("/run/systemd").mkdir(exist_ok=True)
        mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run/systemd")

    def _command(self, release: str, *, network: bool) -> list[str]:
        outside = ["--resolv-conf=copy-host", "--capability=all"]
        return [
            "systemd-nspawn",
            "--quiet",
            f"--directory={self._top}/disk/root",
            f"--machine={self._top.name}",
            f"--hostname={release}",
            "--boot",
            "--register=no",
            "--keep-unit",
            "--notify-ready=yes",
            "--settings=no",
            "--link-journal=no",
            "--timezone=off",
            "--console=pipe",
            *(outside if network else ["--private-network", "--resolv-conf=off"]),
        ]

    def _renew_run(self) -> None:
        """Hide the host's systemd from systemd-nspawn, and what an earlier one left when it was killed.

        systemd-nspawn 257 refuses to start upon a mount point of the same machine's.
        """
        subprocess.run(["umount", "--recursive", "--lazy", "/run/systemd"], check=True)
        mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run/systemd")

    def boot(self) -> None:
        """Boot, and say so once PID 1 has started everything."""
        self._renew_run()
        readiness = Readiness(self._top)
        variables = {
            **os.environ,
            "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
            "NOTIFY_SOCKET": str(readiness.path),
        }
        console = self._top / "console"
        with console.open("wb") as output:
            self._process = subprocess.Popen(
                self._argv,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=lambda: self._group.join("nspawn"),
            )
        news = readiness.wait(self._process, BOOT_TIMEOUT)
        # PID 1 says READY=1 anew after each reload: a socket that nobody reads would fill and block it.
        readiness.close()
        if not news:
            raise StartError(f"the machine did not boot:\n{console.read_text(errors='replace')[-4000:]}")
        tell(event="booted", leader=int(news["X_NSPAWN_LEADER_PID"]))

    def serve(self) -> None:
        """Boot, and carry out what the machine and the input ask for, until the input ends."""
        self.boot()
        while True:
            ended = [os.pidfd_open(self._process.pid)] if self._process else []
            ready = select.select([0, *ended], [], [])[0]
            for descriptor in ended:
                os.close(descriptor)
            if 0 not in ready:
                self._after_end()
            elif not self._obey(os.read(0, 64).decode().split()):
                return

    def _after_end(self) -> None:
        status = self._process.wait() if self._process else 0
        self._process = None
        if status == REBOOT:
            self.boot()
        else:
            tell(event="off", status=status)

    def _obey(self, words: list[str]) -> bool:
        for word in words:
            if word == "boot":
                self.boot()
            elif word == "cut":
                self._group.kill()
                # Linux (6.18) kills what is cloned from a new group into one that has been killed before:
                # systemd 257 would lose every service of the next boot.
                self._group.clear()
        return bool(words)

    def remove(self) -> None:
        """Switch off as the power fails: nothing on this disk is to be kept."""
        self._group.kill()
        if self._process:
            self._process.wait()
        self._group.remove()
        subprocess.run(["umount", "--lazy", self._top / "disk", self._top / "cgroup"], check=True)
        shutil.rmtree(self._top)
        os.close(self._lock)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--release", required=True)
    parser.add_argument("--kind", choices=KINDS, default="machine")
    parser.add_argument("--network", action="store_true", help="share this machine's network")
    parser.add_argument("--delegated", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, raise_exit)
    try:
        if not arguments.delegated:
            start_over_delegated(["-P", "-m", "machine.nspawn", "--delegated", *sys.argv[1:]])
        machine = Nspawn(arguments.release, arguments.kind, network=arguments.network)
        try:
            machine.serve()
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            machine.remove()
    except (StartError, ImageError) as error:
        tell(event="failed", why=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
