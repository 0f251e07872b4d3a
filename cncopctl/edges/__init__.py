"""Where values meet the machine: files, programs, systemd. No edge imports another; entry points wire them."""
