"""The paper's network and nothing else: MobileNet V1 (Howard et al. 2017, arXiv 1704.04861).

architecture.py  Table 1 as data; from it the list of layers for any α, input size and body
network.py       that list as a torch network
cost.py          mult-adds and parameters of that list, as the paper's tables count them
convert.py       the MobileNet weights of Keras and timm, renamed and transposed for network.py
weight_files.py  reads the files that Keras and timm write
"""
