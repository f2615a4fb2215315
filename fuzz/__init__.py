"""Fuzzing: random and damaged bytes for every decoder; anything raised but the errors it promises is a finding."""
