"""cncop: backup jobs as systemd timers."""

__version__ = "0.1.0"
