"""What campaigns, opportunities and distribution are, and their rules; no I/O."""
