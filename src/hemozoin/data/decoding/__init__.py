"""What is checked before and while a picture is decoded from an unknown source.

formats.py         which formats are read, and what a file is by its first bytes
file_names.py      names in zips of Windows, and names that compare equal
tiff_pages.py      which pages of a TIFF are the picture
heif.py            HEIC, the format of phones
plain_png.py       the usual PNG files, decoded faster
plain_webp.py      the usual lossless WebP files, decoded faster
deep_colour.py     colours of 16 bits per channel
samples.py         values of more than 8 bits, in 0..255
colour_profile.py  colours of another space, in sRGB
rgb.py             pictures of any mode, in RGB
limits.py          files that would take minutes or gigabytes to decode
messages.py        messages of the decoders, for the error of their picture
"""
