"""The test tier that drives a real `systemd --user` manager."""
