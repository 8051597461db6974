def model_card(bundle, files): return "x"
