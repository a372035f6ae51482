"""What is said: message types, their one canonical encoding, signatures and limits. Pure; the spec is README.md."""
