"""Questions of this node's users, and gold among them: what may be asked, of whom, and the round that follows."""
