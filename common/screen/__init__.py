"""What a training shows: a live table on a terminal, a bar in a notebook, lines in files and pipes, or nothing."""
