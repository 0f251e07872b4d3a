"""What a job's service runs: gate, user's command, run, user's command, close. It imports little: it starts often."""

import gc

# A step loads modules, does little and ends: looking for garbage would be a tenth of its time. A run goes on, and
# turns it on again.
gc.disable()
