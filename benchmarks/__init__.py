"""Measurements against bare systemd and the bare engines, in the same run. Figures, never verdicts."""
