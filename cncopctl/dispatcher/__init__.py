"""What a job's service runs: gate, user's command, run, user's command, close. It imports little: it starts often."""
