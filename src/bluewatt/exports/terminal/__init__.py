"""What the terminal shows: tables, live screens, progress."""
