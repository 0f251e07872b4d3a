"""The command line: the only package that imports click, and rich for what people see."""
