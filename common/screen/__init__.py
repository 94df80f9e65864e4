"""What a training shows while it goes on: one live table on a terminal, lines in files and pipes, or nothing."""
