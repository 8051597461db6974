"""Cells of a field, decided by the network and by what the field shows of stain and other cells.

glare           stray light taken away from a field, where the stain is strong
classify        from the objects of a field to decisions, in this order:
  denoising     grain of a camera averaged away, where healthy cells have more than they should
  normalization background and stain exchanged for those of the training cells
  (network)     p, and the out-of-distribution detector
  recalibration log odds lowered, where the healthy majority looks infected
  chromatin     spots and whole cells compared with the field's healthy cells
"""
