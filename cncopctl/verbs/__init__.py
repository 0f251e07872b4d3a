"""What cncop does, each verb in a module that reads like the sentence; they wire the edges to the core."""
