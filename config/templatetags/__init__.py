"""What templates of every part ask for."""
