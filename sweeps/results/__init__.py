"""From trial folders to the answer: tables, verdicts, files."""
