"""What a person has written down about a slide: patient, smear, blood, and a count by eye.

- `slide_record.py` reads and checks `slide.toml`.
- `manual_count.py` holds the count by eye.
"""
