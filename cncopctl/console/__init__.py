"""The admin console: one small process for each connection. Somebody waits for its first byte: import late."""
