"""What a balance looks like in a terminal."""
