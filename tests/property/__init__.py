"""What holds for every value that can be drawn."""
