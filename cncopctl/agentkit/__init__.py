"""For agents written in Python: the contract's request, progress and result, and running engines.

agents/README.md is the contract; this package is one way to keep it.
"""
