"""The probe's schema."""
