"""The counted contributions of a round and the certificate that proves it. A verifier recomputes everything here."""
