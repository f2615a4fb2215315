"""Register values as bytes, shared by every protocol that carries registers."""
