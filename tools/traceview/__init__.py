"""What tools/trace is made of: the dump, the file, the model of a run, and the ways to show it."""
