"""What wakes up when there is something to tell: reports now, later whatever else leaves this machine."""
