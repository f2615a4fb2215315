"""VictronConnect's protocol over GATT: messages, and the session machine of both roles."""
