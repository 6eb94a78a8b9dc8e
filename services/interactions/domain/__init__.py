"""What facts and ledger rows are, and the rules that count them; no I/O."""
