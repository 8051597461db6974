"""MobileNet as its paper has it (Howard et al. 2017, arXiv 1704.04861).

mobilenet.py  Table 1 as data, the width and resolution multipliers, every layer's shape
network.py    the same table as a torch network
cost.py       mult-adds and parameters, as Tables 2 and 4 to 7 count them
separable.py  what makes it cheap: kernels and convolutions that come apart
tables.py     the paper's Tables 1 to 7 as printed, beside what is counted
foreign.py    the weights of Keras' and timm's MobileNet, for ours
"""
