"""Message types, their one canonical encoding, signatures and limits. Pure; README.md is the specification."""
