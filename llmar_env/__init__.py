"""The world of LLMAR: text, alignment scores and the environments over them."""
