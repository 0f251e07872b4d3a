"""Values chosen once for a device and job (`H`, `a~b`): fleets spread, the choice stays."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seed:
    """What a chosen value depends on beside its field: the same seed chooses the same value for ever."""

    machine_id: str
    job_id: str

    def choose(self, field: str, count: int) -> int:
        """Return a number in 0..count-1 by hashing machine id, job id and field."""
        import hashlib

        digest = hashlib.sha256(f"{self.machine_id}\0{self.job_id}\0{field}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % count


NO_SEED = Seed("", "")
