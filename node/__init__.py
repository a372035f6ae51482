"""The daemon: I/O around the pure core, and its interfaces."""
