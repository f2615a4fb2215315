"""Output for the terminal: tables, live pictures, progress, questions."""
