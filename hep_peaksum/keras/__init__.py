"""The Keras layer, and its forms for firmware."""
