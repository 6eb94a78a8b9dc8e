"""The truth about customers: records, classification, responsible persons, employees, audit trail."""
