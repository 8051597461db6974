"""What is checked before and while Pillow decodes a picture from an unknown source.

formats.py     which formats are read, and what a file is by its first bytes
limits.py      files that would take minutes or gigabytes to decode
messages.py    messages of the decoders, for the error of their picture
"""
