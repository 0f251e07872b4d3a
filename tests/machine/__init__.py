"""The test tier that boots whole machines, with systemd as their PID 1."""
