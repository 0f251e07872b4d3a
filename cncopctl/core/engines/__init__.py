"""What is known of the programs that do the work: their arguments, their output, their failures. Pure."""
