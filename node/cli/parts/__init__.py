"""What several commands share: options, output, errors, the dialogue in a terminal. No command is here."""
